//! The user's controls: what follows when a policy changes. What is asked of it in passing (a cap, a
//! limit) is read from the policy where it is needed.

use super::shelf::Share;
use super::{NoSuchShare, Swarm};
use crate::manifest::ShareId;
use crate::piece::FileIndex;
use crate::policy::{Policy, Selection};

/// What the user wants of a share.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    /// Which of its files.
    pub(super) selection: Selection,
}

impl Swarm {
    pub(super) fn change_policy(&mut self, policy: Policy) {
        self.upload.set_rate(self.now, policy.upload);
        self.download.set_rate(self.now, policy.download);
        for lane in self.lanes.values_mut() {
            lane.upload.set_rate(self.now, policy.upload_per_peer);
        }
        self.policy = policy;
        self.may_ask = true;
    }

    pub(super) fn change_selection(
        &mut self,
        id: ShareId,
        selection: Selection,
    ) -> Result<(), NoSuchShare> {
        let share = self.shelf.get_mut(&id).ok_or(NoSuchShare)?;
        if share.wishes.selection != selection {
            share.wishes.selection = selection;
            self.on_selected(id);
        }
        Ok(())
    }
}

impl Share {
    /// The files that are wanted.
    pub(super) fn wanted_files(&self) -> impl Iterator<Item = FileIndex> {
        let files = (0..self.geometry().files()).map(FileIndex);
        files.filter(|&file| self.wishes.selection.of(file).is_some())
    }
}
