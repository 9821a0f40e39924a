//! What a user does with downloads, and what their thread says.

use std::path::PathBuf;

use super::groups::groups;
use super::{
    Asked, Catalogue, CatalogueFile, CatalogueModel, DownloadsCommand, DownloadsReport, Look, Token, Wish,
};
use crate::catalog::PartRole;
use crate::session::library::{Entry, LibraryCommand, MissingPart};
use crate::session::{Effect, Message, Question, Session};
use crate::store::PartNeed;

/// Memory that is assumed where the system does not tell, bytes.
const USUAL_MEMORY: u64 = 8_000_000_000;

/// What a user does with downloads. Those of a model are named by its name.
#[derive(Clone, Debug, PartialEq)]
pub enum DownloadAction {
    /// Looks what an address or a repository has.
    Look(String),
    /// Forgets what was looked at.
    StopLooking,
    /// Fetches this.
    Get(Wish),
    /// Fetches a file of the catalogue for a model that lacks it.
    GetPart {
        /// The model's path.
        model: PathBuf,
        /// The file's name in the catalogue.
        file: String,
    },
    /// Pauses a download.
    Pause(String),
    /// Goes on with a download, or tries again what failed.
    Resume(String),
    /// Puts a download before the others.
    First(String),
    /// Gives a download up, after a question if something of it is here.
    AskCancel(String),
    /// Gives a download up, and removes what came of it.
    Cancel(String),
    /// Stores a token, and tries again what was refused for want of one.
    UseToken(Token),
    /// Forgets the token that was stored here.
    ForgetToken,
    /// Offers models on the empty easel no more.
    HideOffers,
}

impl Session {
    pub(in crate::session) fn use_downloads(&mut self, action: DownloadAction) {
        match action {
            DownloadAction::Look(typed) => {
                let typed = typed.trim().to_owned();
                if !typed.is_empty() {
                    self.downloads.look = Look::Asking(typed.clone());
                    self.order(DownloadsCommand::Look(typed));
                }
            }
            DownloadAction::StopLooking => {
                if matches!(self.downloads.look, Look::Asking(_)) {
                    self.order(DownloadsCommand::StopLooking);
                }
                self.downloads.look = Look::Nothing;
            }
            DownloadAction::Get(wish) => self.get(wish),
            DownloadAction::GetPart { model, file } => {
                let Some(file) = Catalogue::of_program().file(&file) else { return };
                let wish = Wish::of_file(file);
                self.downloads.completed.insert(wish.name(), model);
                self.get(wish);
            }
            DownloadAction::Pause(name) => self.order_of(&name, DownloadsCommand::Pause),
            DownloadAction::Resume(name) => {
                match self.downloads.asked.iter().find(|asked| asked.wish.name() == name) {
                    Some(asked) => {
                        let wish = asked.wish.clone();
                        self.get(wish);
                    }
                    None => self.order_of(&name, DownloadsCommand::Resume),
                }
            }
            DownloadAction::First(name) => self.order_of(&name, DownloadsCommand::First),
            DownloadAction::AskCancel(name) => match self.downloads.group(&name) {
                Some(group) if group.received > 0 => {
                    let received = group.received;
                    self.opening.question = Some(Question::CancelDownload { name, received });
                }
                _ => self.cancel(&name),
            },
            DownloadAction::Cancel(name) => {
                self.opening.question = None;
                self.cancel(&name);
            }
            DownloadAction::UseToken(token) => {
                self.order(DownloadsCommand::KeepToken(token));
                let refused = self.downloads.groups.iter().filter(|group| group.wants_account());
                let ids: Vec<_> = refused.flat_map(|group| group.ids.clone()).collect();
                if !ids.is_empty() {
                    self.order(DownloadsCommand::Resume(ids));
                }
                let is_refused =
                    |asked: &&Asked| asked.failure.as_ref().is_some_and(|why| why.kind().is_of_account());
                let wishes: Vec<Wish> =
                    self.downloads.asked.iter().filter(is_refused).map(|asked| asked.wish.clone()).collect();
                for wish in wishes {
                    self.get(wish);
                }
                if let Look::Failed(typed, why) = &self.downloads.look
                    && why.kind().is_of_account()
                {
                    let typed = typed.clone();
                    self.use_downloads(DownloadAction::Look(typed));
                }
            }
            DownloadAction::ForgetToken => self.order(DownloadsCommand::ForgetToken),
            DownloadAction::HideOffers => self.offers_are_hidden = true,
        }
    }

    pub(in crate::session) fn downloads_say(&mut self, report: DownloadsReport) {
        match report {
            DownloadsReport::Listed(list) => {
                self.downloads.groups = groups(&list);
                let speed: f64 = self.downloads.groups.iter().map(|group| group.bytes_per_sec).sum();
                if speed > self.downloads.measured.unwrap_or(0.0) {
                    self.downloads.measured = Some(speed);
                }
            }
            DownloadsReport::Looked(found) => {
                let Look::Asking(typed) = &self.downloads.look else { return };
                let typed = typed.clone();
                self.downloads.look = match found {
                    Ok(found) => Look::Found(typed, found),
                    Err(why) => Look::Failed(typed, why),
                };
            }
            DownloadsReport::Started(name) => {
                self.downloads.asked.retain(|asked| asked.wish.name() != name);
            }
            DownloadsReport::Refused(name, why) => {
                if let Some(asked) = self.downloads.asked.iter_mut().find(|asked| asked.wish.name() == name) {
                    asked.failure = Some(why);
                }
            }
            DownloadsReport::Finished(fetched) => {
                self.outbox.effects.push(Effect::Library(LibraryCommand::Fetched(fetched)));
            }
            DownloadsReport::HasToken(has) => {
                // The user sees that it was forgotten; that one was stored shows by what follows.
                if self.downloads.has_token && !has {
                    self.notify(Message::TokenForgotten);
                }
                self.downloads.has_token = has;
            }
            DownloadsReport::Failed(why) => {
                self.notify(Message::DownloadsFailed(why));
            }
        }
    }

    /// Says that a model is here, with a choice to open it: the one that was found among the files, or the one that a
    /// part was fetched for.
    pub(in crate::session) fn model_fetched(&mut self, name: String, model: Option<PathBuf>) {
        let model = model.or_else(|| self.downloads.completed.remove(&name));
        let opens = model.filter(|path| {
            self.library
                .snapshot()
                .entries
                .iter()
                .any(|entry| entry.path == *path && self.model_of(entry).is_some())
        });
        self.notify(Message::Downloaded(name, opens));
    }

    /// The file of the catalogue that completes a model.
    pub fn known_part(
        &self,
        entry: &Entry,
        part: &MissingPart,
        memory: Option<u64>,
    ) -> Option<&'static CatalogueFile> {
        let need = entry.facts.needs.iter().find(|need| Some(need.role) == part.role)?;
        let families: Vec<&str> = entry.facts.families.iter().map(|family| family.name()).collect();
        known_part(&families, need, memory)
    }

    /// The file of the catalogue for the part that the last model lacked which could not be opened, with that model's
    /// path.
    pub fn known_lacking_part(
        &self,
        role: PartRole,
        memory: Option<u64>,
    ) -> Option<(PathBuf, &'static CatalogueFile)> {
        let (parts, lacking) = self.model.lacking.as_ref()?;
        let facts = self.library.lacking.as_ref().filter(|(path, _)| *path == parts.model)?;
        let need = facts.1.needs.iter().find(|need| need.role == role && role == *lacking)?;
        let families: Vec<&str> = facts.1.families.iter().map(|family| family.name()).collect();
        Some((parts.model.clone(), known_part(&families, need, memory)?))
    }

    /// The models that are offered on the empty easel: those that suit the machine best, while no other model is known.
    /// `memory`: main memory, bytes, where the system tells.
    pub fn offers(&self, memory: Option<u64>) -> Vec<&'static CatalogueModel> {
        let snapshot = self.library.snapshot();
        let has_models = snapshot.entries.iter().any(|entry| entry.facts.kind.is_model());
        if !self.offers_models() || !snapshot.is_complete || has_models {
            return Vec::new();
        }
        Catalogue::of_program().offers(memory.unwrap_or(USUAL_MEMORY))
    }

    /// Whether models may be offered on the empty easel: nobody said no, and no model but the built-in one was used.
    pub fn offers_models(&self) -> bool {
        !self.offers_are_hidden && self.is_builtin() && self.model.recent.is_empty()
    }

    /// Whether nobody wants models to be offered on the empty easel.
    pub fn offers_are_hidden(&self) -> bool {
        self.offers_are_hidden
    }

    /// Restores whether models are offered on the empty easel.
    pub fn restore_offers(&mut self, are_hidden: bool) {
        self.offers_are_hidden = are_hidden;
    }

    fn get(&mut self, wish: Wish) {
        let name = wish.name();
        self.downloads.asked.retain(|asked| asked.wish.name() != name);
        self.downloads.asked.push(Asked { wish: wish.clone(), failure: None });
        self.order(DownloadsCommand::Get(wish));
    }

    fn cancel(&mut self, name: &str) {
        let before = self.downloads.asked.len();
        self.downloads.asked.retain(|asked| asked.wish.name() != name);
        if self.downloads.asked.len() < before {
            self.order(DownloadsCommand::StopAsking(name.to_owned()));
        }
        self.order_of(name, DownloadsCommand::Remove);
        self.downloads.completed.remove(name);
    }

    fn order_of(
        &mut self,
        name: &str,
        command: impl FnOnce(Vec<crate::store::hub::DownloadId>) -> DownloadsCommand,
    ) {
        if let Some(group) = self.downloads.group(name) {
            let command = command(group.ids.clone());
            self.order(command);
        }
    }

    fn order(&mut self, command: DownloadsCommand) {
        self.outbox.effects.push(Effect::Downloads(command));
    }
}

fn known_part(families: &[&str], need: &PartNeed, memory: Option<u64>) -> Option<&'static CatalogueFile> {
    let catalogue = Catalogue::of_program();
    let memory = memory.unwrap_or(USUAL_MEMORY);
    families.iter().find_map(|family| catalogue.completing(family, need, memory))
}
