//! The user's controls: what follows when a policy changes. What is asked of it in passing (a cap, a
//! limit) is read from the policy where it is needed.

use super::Swarm;
use crate::policy::Policy;

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
}
