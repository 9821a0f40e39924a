//! `safelight runs tree`.

use anyhow::anyhow;
use serde_json::{Value, json};

use super::super::output::{self, Output};
use super::list::{counted_runs, short_prompt, summary_json};
use super::named::{find, state};
use crate::store::history::{Family, History, Member, RunList};

/// Prints the family of a run, or all families of at least two runs.
pub(super) fn tree(
    history: &History,
    name: Option<&str>,
    as_json: bool,
    output: &mut Output,
) -> anyhow::Result<()> {
    let RunList { runs, unreadable } = counted_runs(history)?;
    for error in unreadable {
        output.notice(&output::sentence(&anyhow!(error)));
    }
    let families = match name {
        Some(name) => {
            let id = find(history, name)?;
            let family = Family::of(&runs, &id);
            if family.is_none() {
                history.read(&id)?;
            }
            family.into_iter().collect()
        }
        None => Family::all(&runs),
    };
    if families.is_empty() && !as_json {
        output.notice(&format!(
            "no kept run went on from a step of another (‘safelight fork --keep’ makes one): {}",
            output::text(history.root())
        ));
    }
    for (place, family) in families.iter().enumerate() {
        if as_json {
            output.json(&member_json(history, family, 0));
            continue;
        }
        if place > 0 {
            output.line("");
        }
        for line in &lines(history, family) {
            output.line(line);
        }
    }
    Ok(())
}

/// The lines of a family, with branches in front of the runs.
fn lines(history: &History, family: &Family) -> Vec<String> {
    let mut lines = vec![run_words(history, &family.members[0])];
    add_children(history, family, 0, "", &mut lines);
    lines
}

fn add_children(history: &History, family: &Family, of: usize, indent: &str, lines: &mut Vec<String>) {
    let children: Vec<usize> = family.children(of).collect();
    for (place, child) in children.iter().enumerate() {
        let is_last = place + 1 == children.len();
        let member = &family.members[*child];
        let step = member.from.map_or(0, |(_, step)| step);
        let branch = if is_last { "└─" } else { "├─" };
        lines.push(format!("{indent}{branch} step {step}: {}", run_words(history, member)));
        let indent = format!("{indent}{}", if is_last { "   " } else { "│  " });
        add_children(history, family, *child, &indent, lines);
    }
}

/// A run in one line.
fn run_words(history: &History, member: &Member) -> String {
    let Some(run) = &member.run else { return format!("{}  deleted", member.id) };
    let (done, planned) = (run.steps_done, run.steps_planned);
    let words =
        format!("{}  {}  {done}/{planned}  {}", run.id, state(history, run), short_prompt(&run.prompt));
    words.trim_end().to_owned()
}

/// A member with those that went on from it.
fn member_json(history: &History, family: &Family, index: usize) -> Value {
    let member = &family.members[index];
    let mut object = match &member.run {
        Some(run) => summary_json(history, run),
        None => json!({ "run": member.id.as_str(), "state": "deleted" }),
    };
    object["step"] = member.from.map(|(_, step)| step).into();
    object["forks"] = family.children(index).map(|child| member_json(history, family, child)).collect();
    object
}
