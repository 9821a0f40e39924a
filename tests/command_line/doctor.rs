//! `safelight doctor`: what the machine has, and the verdict on its processor.

use std::process::Command;

use crate::common::program::text;

#[test]
fn the_doctor_looks_at_the_machine_and_checks_the_processor() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libcublas.so.13");
    std::fs::write(&library, "").unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_safelight"))
            .args(arguments)
            .env("LD_LIBRARY_PATH", folder.path())
            .env("HOME", folder.path())
            .env_remove("XDG_CACHE_HOME")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let json: serde_json::Value = serde_json::from_str(&run(&["doctor", "--quick", "--json"])).unwrap();
    let processor = &json["devices"][0];
    assert_eq!(processor["device"], "cpu");
    assert_eq!(processor["verdict"], "within tolerance");
    assert!(processor["results"].as_u64().unwrap() > 90);
    assert_eq!((&processor["left_out"], &processor["wrong"]), (&0.into(), &serde_json::json!([])));
    assert_eq!(json["features"]["cuda"], cfg!(feature = "cuda"));
    if cfg!(target_os = "linux") {
        let libraries = json["libraries"].as_array().unwrap();
        let cublas = libraries.iter().find(|found| found["name"] == "cuBLAS").unwrap();
        assert_eq!(cublas["found"], text(&library));
        let said = run(&["doctor", "--quick"]);
        let line = said.lines().find(|line| line.contains("cuBLAS")).unwrap();
        assert!(line.contains(" found ") && line.ends_with(text(&library)), "{said}");
        assert!(said.contains("within tolerance ("), "{said}");
        assert!(said.contains("step of the built-in model, f32"), "{said}");
    }
    // The processor's verdict is nothing to keep.
    assert!(!folder.path().join(".cache/safelight/devices.json").exists());
}
