//! Memory that this process can still allocate: what the system has available, within the limits of cgroups and of the
//! address space.
//!
//! Sources: proc_meminfo(5), proc_pid_limits(5), cgroups(7), and the kernel's documentation of its memory controllers,
//! <https://docs.kernel.org/admin-guide/cgroup-v2.html> and <https://docs.kernel.org/admin-guide/cgroup-v1/memory.html>.

use std::path::Path;

/// Bytes that this process can allocate without swapping and without being killed for it; `None` where the system does
/// not tell (anywhere but on Linux).
pub fn available_bytes() -> Option<u64> {
    available_under(Path::new("/"))
}

/// [`available_bytes`] with the system's files under `root`.
fn available_under(root: &Path) -> Option<u64> {
    let text = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let system = kilobytes(&text("proc/meminfo")?, "MemAvailable:")?;
    let groups = text("proc/self/cgroup").unwrap_or_default();
    let allowed = groups.lines().filter_map(|line| group_available(root, line));
    let address_space = text("proc/self/limits").and_then(|limits| {
        let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
        let limit: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(limit.saturating_sub(kilobytes(&text("proc/self/status")?, "VmSize:")?))
    });
    Some(allowed.chain(address_space).fold(system, u64::min))
}

/// Bytes of main memory that this process could have at most: the machine's, or its cgroup's limit; `None` where the
/// system does not tell (anywhere but on Linux).
pub fn total_bytes() -> Option<u64> {
    total_under(Path::new("/"))
}

/// [`total_bytes`] with the system's files under `root`.
fn total_under(root: &Path) -> Option<u64> {
    let text = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let machine = kilobytes(&text("proc/meminfo")?, "MemTotal:")?;
    let groups = text("proc/self/cgroup").unwrap_or_default();
    let limits = groups.lines().filter_map(|line| {
        least_of_groups(root, line, |group, controller| {
            std::fs::read_to_string(group.join(controller.limit)).ok()?.trim().parse().ok()
        })
    });
    Some(limits.fold(machine, u64::min))
}

/// The value of `key` in a file under `/proc`, which is given in kB, in bytes.
fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// File names of a cgroup memory controller.
struct Controller {
    /// Mount point, relative to the root folder.
    mount: &'static str,
    limit: &'static str,
    usage: &'static str,
    /// Keys of `memory.stat` for the page cache, which is part of the usage and is reclaimed under memory pressure.
    reclaimable: [&'static str; 2],
}

const VERSION_2: Controller = Controller {
    mount: "sys/fs/cgroup",
    limit: "memory.max",
    usage: "memory.current",
    reclaimable: ["inactive_file", "active_file"],
};

const VERSION_1: Controller = Controller {
    mount: "sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    reclaimable: ["total_inactive_file", "total_active_file"],
};

/// Bytes that a cgroup and its ancestors still allow. `line`: of `/proc/self/cgroup`, `ID:CONTROLLERS:PATH`.
fn group_available(root: &Path, line: &str) -> Option<u64> {
    least_of_groups(root, line, allowed_by)
}

/// The least of a figure of a cgroup and its ancestors.
fn least_of_groups(
    root: &Path,
    line: &str,
    figure: impl Fn(&Path, &Controller) -> Option<u64>,
) -> Option<u64> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    let controller = if controllers.is_empty() {
        VERSION_2
    } else if controllers.split(',').any(|name| name == "memory") {
        VERSION_1
    } else {
        return None;
    };
    let mount = root.join(controller.mount);
    // Inside a container the path may be the host's; the mount point is then the container's own group.
    let folder = Some(mount.join(path.trim_start_matches('/')));
    let folder = folder.filter(|folder| folder.is_dir() && !path.contains(".."));
    let folder = folder.unwrap_or_else(|| mount.clone());
    let groups = folder.ancestors().take_while(|group| group.starts_with(&mount));
    groups.filter_map(|group| figure(group, &controller)).min()
}

/// Bytes that one cgroup still allows, if it has a limit.
fn allowed_by(group: &Path, controller: &Controller) -> Option<u64> {
    let text = |name: &str| std::fs::read_to_string(group.join(name)).ok();
    let number = |name: &str| text(name)?.trim().parse::<u64>().ok();
    // ‘max’ instead of a number means that the group has no limit.
    let limit = number(controller.limit)?;
    let usage = number(controller.usage).unwrap_or_default();
    let stat = text("memory.stat").unwrap_or_default();
    let reclaimable: u64 = stat
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(key, _)| controller.reclaimable.contains(key))
        .filter_map(|(_, value)| value.trim().parse::<u64>().ok())
        .sum();
    Some(limit.saturating_sub(usage.saturating_sub(reclaimable)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str =
        "MemTotal:       24684012 kB\nMemFree:          511236 kB\nMemAvailable:    2048000 kB\n";
    const SYSTEM: u64 = 2_048_000 * 1024;
    const MIB: u64 = 1 << 20;

    fn available(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        available_under(root.path())
    }

    #[test]
    fn the_whole_memory_is_the_machines_or_the_groups() {
        let total = |files: &[(&str, &str)]| {
            let root = tempfile::tempdir().unwrap();
            for (path, content) in files {
                let path = root.path().join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, content).unwrap();
            }
            total_under(root.path())
        };
        let machine = ("proc/meminfo", MEMINFO);
        let group = ("proc/self/cgroup", "0::/user\n");
        assert_eq!(total(&[machine]), Some(24_684_012 * 1024));
        assert_eq!(
            total(&[machine, group, ("sys/fs/cgroup/user/memory.max", "max\n")]),
            Some(24_684_012 * 1024)
        );
        assert_eq!(total(&[machine, group, ("sys/fs/cgroup/user/memory.max", "1048576\n")]), Some(MIB));
        assert_eq!(total(&[]), None);
    }

    #[test]
    fn without_limits_the_systems_figure_counts() {
        assert_eq!(available(&[("proc/meminfo", MEMINFO)]), Some(SYSTEM));
        assert_eq!(available(&[("proc/meminfo", "MemTotal: 1 kB")]), None);
        let unlimited = [
            ("proc/meminfo", MEMINFO),
            ("proc/self/cgroup", "0::/user.slice\n"),
            ("sys/fs/cgroup/user.slice/memory.max", "max\n"),
            ("sys/fs/cgroup/user.slice/memory.current", "1000000\n"),
            (
                "proc/self/limits",
                "Limit  Soft Limit  Hard Limit  Units\nMax address space  unlimited  unlimited  bytes\n",
            ),
        ];
        assert_eq!(available(&unlimited), Some(SYSTEM));
        if cfg!(target_os = "linux") {
            assert!(available_bytes().unwrap() > MIB);
        }
    }

    #[test]
    fn the_smallest_limit_of_a_group_and_those_above_it_counts() {
        let mut files = vec![
            ("proc/meminfo", MEMINFO),
            ("proc/self/cgroup", "0::/job/step\n"),
            ("sys/fs/cgroup/job/memory.max", "524288000\n"),
            ("sys/fs/cgroup/job/memory.current", "209715200\n"),
            (
                "sys/fs/cgroup/job/memory.stat",
                "anon 1\ninactive_file 52428800\nactive_file 52428800\nfile 7\n",
            ),
            ("sys/fs/cgroup/job/step/memory.max", "max\n"),
        ];
        assert_eq!(available(&files), Some(400 * MIB));
        files.push(("sys/fs/cgroup/job/step/memory.max", "104857600"));
        assert_eq!(available(&files), Some(100 * MIB));
    }

    #[test]
    fn the_older_controllers_and_containers_are_read() {
        let groups = "12:pids:/docker/4d7a\n7:cpu,memory:/docker/4d7a\n0::/system.slice\n";
        let in_container = [
            ("proc/meminfo", MEMINFO),
            ("proc/self/cgroup", groups),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "314572800\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "104857600\n"),
            ("sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 10485760\n"),
        ];
        assert_eq!(available(&in_container), Some(210 * MIB));
        let version_2 = [
            ("proc/meminfo", MEMINFO),
            ("proc/self/cgroup", "0::/../../outside\n"),
            ("sys/fs/cgroup/memory.max", "1048576\n"),
            ("sys/fs/cgroup/memory.current", "9048576\n"),
        ];
        assert_eq!(available(&version_2), Some(0));
    }

    #[test]
    fn a_limit_of_the_address_space_counts() {
        let limits = "Max cpu time  unlimited  unlimited  seconds\nMax address space         314572800            314572800            bytes\n";
        let files = [
            ("proc/meminfo", MEMINFO),
            ("proc/self/limits", limits),
            ("proc/self/status", "VmPeak:\t  999999 kB\nVmSize:\t  102400 kB\n"),
        ];
        assert_eq!(available(&files), Some(200 * MIB));
    }
}
