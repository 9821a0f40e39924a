//! The tree of runs that went on from steps of others.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::record::{RunId, RunSummary};

/// All runs that come from one, which is the first of the members. Each member follows the one it went on from, and
/// members that went on from the same one are in the order of the steps they did so from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family {
    /// The runs, depth first.
    pub members: Vec<Member>,
}

/// A run in its family.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its id.
    pub id: RunId,
    /// What is known of it; `None` for a run that was deleted and others went on from.
    pub run: Option<RunSummary>,
    /// The index of the member it went on from, and the number of steps that both have in common; `None` for the first.
    pub from: Option<(usize, usize)>,
    /// The number of runs between it and the first, itself included.
    pub depth: usize,
}

/// Where a member lies in a drawing of the tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemberPlace {
    /// The column, from the left: its depth.
    pub column: usize,
    /// The row, from the top. A member without further ones has a row of its own, and any other is in the middle of those
    /// that went on from it.
    pub row: f32,
}

impl Family {
    /// The family of a run; `None` if it is neither kept nor did any other go on from it.
    pub fn of(runs: &[RunSummary], id: &RunId) -> Option<Self> {
        let relations = Relations::of(runs);
        let is_known = relations.known.contains_key(id) || relations.children.contains_key(id);
        is_known.then(|| relations.family(relations.first_of(id)))
    }

    /// All families of at least two runs, that with the newest first run first.
    pub fn all(runs: &[RunSummary]) -> Vec<Self> {
        let relations = Relations::of(runs);
        let mut firsts: Vec<&RunId> = relations.children.keys().map(|id| relations.first_of(id)).collect();
        firsts.sort_unstable();
        firsts.dedup();
        firsts.into_iter().rev().map(|id| relations.family(id)).collect()
    }

    /// The index of a run.
    pub fn position(&self, id: &RunId) -> Option<usize> {
        self.members.iter().position(|member| member.id == *id)
    }

    /// The indices of the members that went on from one, in order.
    pub fn children(&self, of: usize) -> impl Iterator<Item = usize> {
        let is_child = move |member: &Member| member.from.is_some_and(|(from, _)| from == of);
        self.members.iter().enumerate().filter(move |(_, member)| is_child(member)).map(|(index, _)| index)
    }

    /// Where each member lies, and the number of rows.
    pub fn places(&self) -> (Vec<MemberPlace>, usize) {
        let mut places: Vec<MemberPlace> =
            self.members.iter().map(|member| MemberPlace { column: member.depth, row: 0.0 }).collect();
        let mut rows = 0;
        // The first and the last row of the children of each member.
        let mut spans: Vec<Option<[f32; 2]>> = vec![None; places.len()];
        // Children come after their parents, so that those are reached with their children placed. Rows are counted from
        // the last.
        for (index, member) in self.members.iter().enumerate().rev() {
            places[index].row = if let Some([first, last]) = spans[index] {
                f32::midpoint(first, last)
            } else {
                rows += 1;
                -(rows as f32)
            };
            let row = places[index].row;
            if let Some((from, _)) = member.from {
                spans[from] = Some(spans[from].map_or([row; 2], |[_, last]| [row, last]));
            }
        }
        for place in &mut places {
            place.row += rows as f32;
        }
        (places, rows)
    }
}

/// Which run went on from which.
struct Relations<'a> {
    known: HashMap<&'a RunId, &'a RunSummary>,
    /// The runs that went on from one, in order.
    children: BTreeMap<&'a RunId, Vec<&'a RunSummary>>,
}

impl<'a> Relations<'a> {
    fn of(runs: &'a [RunSummary]) -> Self {
        let known = runs.iter().map(|run| (&run.id, run)).collect();
        let mut children: BTreeMap<&RunId, Vec<&RunSummary>> = BTreeMap::new();
        for run in runs {
            if let Some(origin) = &run.origin {
                children.entry(&origin.run).or_default().push(run);
            }
        }
        for of_one in children.values_mut() {
            let step = |run: &RunSummary| run.origin.as_ref().map(|origin| origin.step);
            of_one.sort_by_key(|run| (step(run), run.created_ms, run.id.clone()));
        }
        Self { known, children }
    }

    /// The run that a run comes from in the end. Records that were changed so that they form a circle end somewhere.
    fn first_of(&self, id: &'a RunId) -> &'a RunId {
        let (mut first, mut seen) = (id, HashSet::new());
        while seen.insert(first)
            && let Some(origin) = self.known.get(first).and_then(|run| run.origin.as_ref())
        {
            first = &origin.run;
        }
        // The same for every run of a circle.
        if seen.len() > 1 && self.known.get(first).is_some_and(|run| run.origin.is_some()) {
            return seen.into_iter().min().unwrap_or(first);
        }
        first
    }

    fn family(&self, first: &RunId) -> Family {
        let mut members: Vec<Member> = Vec::new();
        let mut seen: HashSet<&RunId> = HashSet::new();
        let first = Member { id: first.clone(), run: self.summary(first), from: None, depth: 0 };
        // Those still to be added, the next one last.
        let mut next = vec![first];
        while let Some(member) = next.pop() {
            let (index, depth) = (members.len(), member.depth + 1);
            let children = self.children.get_key_value(&member.id);
            members.push(member);
            let Some((id, children)) = children else { continue };
            if !seen.insert(id) {
                continue;
            }
            for run in children.iter().rev().filter(|run| !seen.contains(&run.id)) {
                let step = run.origin.as_ref().map_or(0, |origin| origin.step);
                let run = Some((*run).clone());
                let id = run.as_ref().map_or_else(|| members[index].id.clone(), |run| run.id.clone());
                next.push(Member { id, run, from: Some((index, step)), depth });
            }
        }
        Family { members }
    }

    fn summary(&self, id: &RunId) -> Option<RunSummary> {
        self.known.get(id).map(|run| (*run).clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::record::{RunOrigin, RunStatus};
    use super::*;

    fn id(number: u32) -> RunId {
        RunId::new(Duration::from_hours(500_000), number)
    }

    fn run(number: u32, from: Option<(u32, usize)>) -> RunSummary {
        RunSummary {
            id: id(number),
            created_ms: number.into(),
            model_name: String::new(),
            family: String::new(),
            prompt: String::new(),
            negative_prompt: String::new(),
            seed: None,
            size: None,
            from_picture: false,
            origin: from.map(|(run, step)| RunOrigin { run: id(run), step }),
            grid: None,
            status: RunStatus::Finished,
            steps_planned: 8,
            steps_done: 8,
            steps_kept: 8,
            elapsed_secs: 1.0,
            stars: 0,
        }
    }

    /// A member, the member and the step it went on from, and its depth.
    type Shape = (RunId, Option<(usize, usize)>, usize);

    fn shape(family: &Family) -> Vec<Shape> {
        family.members.iter().map(|member| (member.id.clone(), member.from, member.depth)).collect()
    }

    #[test]
    fn a_family_is_found_from_any_of_its_members() {
        let runs = [
            run(1, None),
            run(2, Some((1, 5))),
            run(3, Some((1, 2))),
            run(4, Some((2, 6))),
            run(5, None),
            run(6, Some((1, 2))),
        ];
        let expected = [
            (id(1), None, 0),
            (id(3), Some((0, 2)), 1),
            (id(6), Some((0, 2)), 1),
            (id(2), Some((0, 5)), 1),
            (id(4), Some((3, 6)), 2),
        ];
        for member in [1, 2, 3, 4, 6] {
            assert_eq!(shape(&Family::of(&runs, &id(member)).unwrap()), expected, "{member}");
        }
        assert_eq!(shape(&Family::of(&runs, &id(5)).unwrap()), [(id(5), None, 0)]);
        assert_eq!(Family::of(&runs, &id(9)), None);
        let all = Family::all(&runs);
        assert_eq!(all.iter().map(|family| family.members.len()).collect::<Vec<_>>(), [5]);
        assert_eq!(all[0].children(0).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn a_deleted_run_keeps_its_place() {
        let runs = [run(2, Some((1, 5))), run(3, Some((2, 6))), run(4, Some((1, 3)))];
        let family = Family::of(&runs, &id(3)).unwrap();
        assert_eq!(
            shape(&family),
            [(id(1), None, 0), (id(4), Some((0, 3)), 1), (id(2), Some((0, 5)), 1), (id(3), Some((2, 6)), 2)]
        );
        assert!(family.members[0].run.is_none() && family.members[1].run.is_some());
        assert_eq!(Family::all(&runs), [family]);
    }

    #[test]
    fn a_circle_of_changed_records_ends() {
        let runs = [run(1, Some((3, 1))), run(2, Some((1, 1))), run(3, Some((2, 1)))];
        for member in [1, 2, 3] {
            let family = Family::of(&runs, &id(member)).unwrap();
            assert_eq!((family.members.len(), &family.members[0].id), (3, &id(1)), "{family:?}");
        }
        let itself = [run(1, Some((1, 1)))];
        assert_eq!(Family::of(&itself, &id(1)).unwrap().members.len(), 1);
    }

    #[test]
    fn parents_lie_in_the_middle_of_their_children() {
        let runs = [
            run(1, None),
            run(2, Some((1, 1))),
            run(3, Some((1, 2))),
            run(4, Some((2, 3))),
            run(5, Some((2, 4))),
            run(6, Some((2, 5))),
        ];
        let (places, rows) = Family::of(&runs, &id(1)).unwrap().places();
        let expected = [(0, 2.0), (1, 1.0), (2, 0.0), (2, 1.0), (2, 2.0), (1, 3.0)];
        assert_eq!(places, expected.map(|(column, row)| MemberPlace { column, row }));
        assert_eq!(rows, 4);
    }
}
