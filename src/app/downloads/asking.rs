//! Asking the hub what there is, on threads of their own: an answer may take long, and downloads go on meanwhile.

use std::collections::HashMap;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::reason::Reason;
use crate::request::CancelToken;
use crate::session::downloads::{Found, Wish};
use crate::store::hub::{
    Catalogue, Destination, DownloadSet, HubError, Offer, Queue, Source, Wanted, catalogue_sets,
};

/// What the hub answered.
pub(super) enum Answer {
    /// What an address has.
    Looked(Result<Found, Reason>, CancelToken),
    /// The files of a wish.
    Sets(String, Result<Vec<DownloadSet>, Reason>, CancelToken),
}

/// The questions that are open.
pub(super) struct Asking {
    answers: Sender<Answer>,
    pub(super) answered: Receiver<Answer>,
    look: CancelToken,
    wishes: HashMap<String, CancelToken>,
}

impl Asking {
    pub(super) fn new() -> Self {
        let (answers, answered) = bounded(16);
        Self { answers, answered, look: CancelToken::new(), wishes: HashMap::new() }
    }

    /// Asks what an address or a repository has, in place of the address before.
    pub(super) fn look(&mut self, typed: String, queue: &Arc<Queue>) {
        self.stop_looking();
        self.look = CancelToken::new();
        let (answers, queue, cancel) = (self.answers.clone(), Arc::clone(queue), self.look.clone());
        start(move || {
            let found = look(&typed, &queue, &cancel);
            if let Some(found) = found.transpose() {
                let _ = answers.send(Answer::Looked(found.map_err(|error| (&error).into()), cancel));
            }
        });
    }

    pub(super) fn stop_looking(&self) {
        self.look.stop();
    }

    /// Asks for the files of a wish. `elsewhere`: where files from other servers go.
    pub(super) fn sets(&mut self, wish: Wish, elsewhere: Destination, queue: &Arc<Queue>) {
        let name = wish.name();
        self.stop(&name);
        let cancel = CancelToken::new();
        self.wishes.insert(name.clone(), cancel.clone());
        let (answers, queue) = (self.answers.clone(), Arc::clone(queue));
        start(move || {
            let sets = sets(wish, elsewhere, &queue, &cancel);
            if let Some(sets) = sets.transpose() {
                let _ = answers.send(Answer::Sets(name, sets.map_err(|error| (&error).into()), cancel));
            }
        });
    }

    /// Stops asking for the wish of this name.
    pub(super) fn stop(&mut self, name: &str) {
        if let Some(cancel) = self.wishes.remove(name) {
            cancel.stop();
        }
    }

    /// Stops all questions.
    pub(super) fn stop_all(&mut self) {
        self.stop_looking();
        self.wishes.drain().for_each(|(_, cancel)| cancel.stop());
    }
}

fn start(ask: impl FnOnce() + Send + 'static) {
    if let Err(error) = std::thread::Builder::new().name("safelight-hub".to_owned()).spawn(ask) {
        log::error!("no thread for asking the hub could be started: {error}");
    }
}

fn look(typed: &str, queue: &Queue, cancel: &CancelToken) -> Result<Option<Found>, HubError> {
    let client = queue.client();
    let wanted = Wanted::parse(typed, &client.environment().endpoint)?;
    if let Wanted::Direct { address, file_name } = &wanted {
        let (file_name, host) = (file_name.to_string(), address.host().to_owned());
        return Ok(Some(Found::File { file_name, host }));
    }
    let offer = Offer::of(&wanted, client, cancel)?;
    Ok(offer.map(|Offer { listing, choices }| Found::Repository(Arc::new(listing), choices)))
}

fn sets(
    wish: Wish,
    elsewhere: Destination,
    queue: &Queue,
    cancel: &CancelToken,
) -> Result<Option<Vec<DownloadSet>>, HubError> {
    let client = queue.client();
    match wish {
        Wish::Catalogue { name, files } => {
            let catalogue = Catalogue::of_program();
            let files: Vec<_> = files.iter().filter_map(|id| catalogue.file(id)).collect();
            let found = catalogue_sets(&name, &files, client, &Destination::Cache, cancel)?;
            Ok(found.map(|(sets, _)| sets))
        }
        Wish::Choice(listing, ref choice) => Ok(Some(vec![DownloadSet::of_repository(
            &Wish::Choice(Arc::clone(&listing), choice.clone()).name(),
            &listing,
            &choice.files,
            &Destination::Cache,
        )])),
        Wish::Direct { typed, .. } => match Wanted::parse(&typed, &client.environment().endpoint)? {
            Wanted::Direct { address, file_name } => Ok(Some(vec![DownloadSet {
                name: file_name.to_string(),
                revision: None,
                files: vec![Source::Direct { address, file_name }],
                destination: elsewhere,
            }])),
            _ => Ok(None),
        },
    }
}
