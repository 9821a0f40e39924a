//! How a document's latent is previewed: by the tiny decoder where one is open and the adapter is quick enough.

use std::sync::Arc;

use super::desk::{Desk, PreviewMethod};
use crate::latent::Latent;
use crate::preview::Look;
use crate::projection::TinyNetwork;
use crate::session::{Document, Session};

/// Why previews are not made by the tiny decoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum TinyObstacle {
    /// The graphics adapter cannot draw it, or not in this size.
    Unable,
    /// The shader does not draw this network.
    OtherNetwork,
    /// How long it takes is being measured.
    Measuring,
    /// It takes too long for what is going on: seconds.
    Slow(f64),
}

/// The share of a step's time that a preview may take while something is drawn: it may run on the same adapter.
const SHARE_OF_STEP: f64 = 0.01;
/// The longest time that a preview takes while nothing is drawn, seconds: scrubbing stays smooth.
const LONGEST_STILL: f64 = 0.1;

/// The tiny decoder for a document's latent as it is edited.
fn tiny_network<'a>(session: &'a Session, document: &Document) -> Option<(&'a Arc<TinyNetwork>, Latent)> {
    let opened = session.tiny_decoder()?;
    let latent = document.inspector().adjusted().filter(|_| document.format() == Some(opened.format))?;
    Some((opened.network.as_ref()?, latent))
}

impl Desk {
    /// How a document's latent is previewed: by the tiny decoder where that is possible and quick enough, or as
    /// [`preview_look`](Self::preview_look) says.
    pub(super) fn document_look(&mut self, session: &Session, document: &Document) -> Option<Look> {
        let format = document.format()?;
        if self.previews == PreviewMethod::Tiny
            && let Some((network, latent)) = tiny_network(session, document)
        {
            let look = Look::Tiny { network: Arc::clone(network) };
            let is_drawn = self.latents.as_ref().is_some_and(|latents| latents.holds(&latent, &look));
            if is_drawn || self.tiny_obstacle(session, Some(document)).is_none() {
                return Some(look);
            }
        }
        Some(self.preview_look(session, format))
    }

    /// The method by which a document's latent is previewed; without a document, those of the loaded model.
    pub(super) fn method(&mut self, session: &Session, document: Option<&Document>) -> PreviewMethod {
        let look = match document {
            Some(document) => self.document_look(session, document),
            None => None,
        };
        let look =
            look.or_else(|| session.profile().map(|profile| self.preview_look(session, profile.format)));
        match look {
            Some(Look::Tiny { .. }) => PreviewMethod::Tiny,
            Some(Look::Patch { .. }) => PreviewMethod::Patch,
            _ => PreviewMethod::Linear,
        }
    }

    /// Why the tiny decoder does not preview a document's latent; `None` if it does, or there is none.
    pub(super) fn tiny_obstacle(
        &mut self,
        session: &Session,
        document: Option<&Document>,
    ) -> Option<TinyObstacle> {
        let opened = session.tiny_decoder()?;
        if opened.network.is_none() {
            return Some(TinyObstacle::OtherNetwork);
        }
        let (network, latent) = tiny_network(session, document?)?;
        let Some(latents) = self.latents.as_mut().filter(|latents| latents.draws_tiny(network, &latent))
        else {
            return Some(TinyObstacle::Unable);
        };
        let most = match session.running() {
            Some(running) => running.step_secs.map(|secs| SHARE_OF_STEP * secs),
            None => Some(LONGEST_STILL),
        };
        match (latents.tiny_secs(network, &latent), most) {
            (None, _) => Some(TinyObstacle::Measuring),
            (Some(secs), Some(most)) if secs <= most => None,
            (Some(secs), _) => Some(TinyObstacle::Slow(secs)),
        }
    }
}
