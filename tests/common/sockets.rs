//! The sockets of a process, for the promise that it opens no connection without a wish.

use std::collections::BTreeSet;

/// Inodes of the process's sockets that are of the Internet: those of its files that stand in the tables of the kernel.
pub(crate) fn internet_sockets(pid: u32) -> BTreeSet<String> {
    let mut inodes = BTreeSet::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
        if let Ok(target) = std::fs::read_link(entry.path())
            && let Some(inode) = target.to_string_lossy().strip_prefix("socket:[")
        {
            inodes.insert(inode.trim_end_matches(']').to_owned());
        }
    }
    let mut found = BTreeSet::new();
    for table in ["tcp", "tcp6", "udp", "udp6", "raw", "raw6"] {
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            // The tenth column is the inode: proc_pid_net(5).
            let inode = line.split_whitespace().nth(9).unwrap_or_default();
            if inodes.contains(inode) {
                found.insert(format!("{table}: {line}"));
            }
        }
    }
    found
}
