//! How facts about the circle change the state, and which of them say the same in a snapshot.

use super::{Fact, State};

impl State {
    pub(super) fn circle_changed(&mut self, fact: &Fact) -> Option<()> {
        let circle = &mut self.circle;
        match fact {
            Fact::Member { person, whole } => {
                circle.people.insert(*person, (**whole).clone());
            }
            Fact::Enrolled { key, whole } => {
                circle.machines.insert(*key, (**whole).clone());
            }
            Fact::Invited { secret, whole } => {
                circle.invitations.insert(*secret, (**whole).clone());
            }
            Fact::Uninvited { secret } => {
                circle.invitations.remove(secret)?;
            }
            Fact::LoggedIn { token, whole } => {
                circle.sessions.insert(*token, whole.clone());
            }
            Fact::LoggedOut { token } => {
                circle.sessions.remove(token)?;
            }
            Fact::Claimed { node, key } => {
                circle.machines.get(key)?;
                circle.nodes.insert(*node, *key);
            }
            Fact::Earns { node, person } => {
                circle.earners.insert(*node, *person);
            }
            _ => return None,
        }
        Some(())
    }

    /// The circle as a shorter journal. Machines come before the nodes on them.
    pub(super) fn circle_facts(&self) -> impl Iterator<Item = Fact> + '_ {
        let circle = &self.circle;
        let people = circle
            .people
            .iter()
            .map(|(person, whole)| Fact::Member { person: *person, whole: Box::new(whole.clone()) });
        let machines =
            circle.machines.iter().map(|(key, whole)| Fact::Enrolled { key: *key, whole: Box::new(whole.clone()) });
        let invitations = circle
            .invitations
            .iter()
            .map(|(secret, whole)| Fact::Invited { secret: *secret, whole: Box::new(whole.clone()) });
        let sessions =
            circle.sessions.iter().map(|(token, whole)| Fact::LoggedIn { token: *token, whole: whole.clone() });
        let nodes = circle.nodes.iter().map(|(node, key)| Fact::Claimed { node: *node, key: *key });
        let earners = circle.earners.iter().map(|(node, person)| Fact::Earns { node: *node, person: *person });
        people.chain(machines).chain(invitations).chain(sessions).chain(nodes).chain(earners)
    }
}
