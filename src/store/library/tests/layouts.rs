//! The folders of all programs, and what completes what.

use super::{CONTROL, EMBEDDING, LORA_XL, Machine, TINY, UPSCALER, copy, listed, write_weights};
use crate::catalog::ModelSource;
use crate::catalog::PartRole;

#[test]
fn the_folders_of_all_programs_are_read() {
    let machine = Machine::new();
    // ComfyUI, with a folder elsewhere.
    machine.write_flux("home/ComfyUI/models");
    copy("single/sd1.safetensors", &machine.path("home/ComfyUI/models/checkpoints/anime/dream.safetensors"));
    write_weights(&machine.path("home/ComfyUI/models/loras/detail.safetensors"), LORA_XL);
    write_weights(&machine.path("home/ComfyUI/models/vae_approx/taesd_decoder.safetensors"), TINY);
    write_weights(
        &machine.path("home/ComfyUI/output/latent.safetensors"),
        &[("latent_tensor", &[1, 4, 8, 8])],
    );
    write_weights(&machine.path("other/upscalers/esrgan.safetensors"), UPSCALER);
    std::fs::write(
        machine.path("home/ComfyUI/extra_model_paths.yaml"),
        format!("more:\n  base_path: {}\n  upscale_models: upscalers\n", machine.path("other").display()),
    )
    .unwrap();
    // AUTOMATIC1111.
    copy("single/sdxl.safetensors", &machine.path("home/webui/models/Stable-diffusion/xl.safetensors"));
    write_weights(&machine.path("home/webui/models/ControlNet/canny.safetensors"), CONTROL);
    write_weights(&machine.path("home/webui/embeddings/bad-hands.safetensors"), EMBEDDING);
    std::fs::write(machine.path("home/webui/embeddings/old.pt"), b"\x80\x02}q\x00.").unwrap();
    // InvokeAI.
    std::fs::create_dir_all(machine.path("home/invokeai")).unwrap();
    std::fs::write(machine.path("home/invokeai/invokeai.yaml"), b"").unwrap();
    let id = "7c1a9a1e-5d3b-4c11-9f0a-0123456789ab";
    copy("single/sd2.safetensors", &machine.path(&format!("home/invokeai/models/{id}/depth.safetensors")));
    copy("z_image", &machine.path(&format!("home/invokeai/models/{}", id.replace('7', "8"))));
    // The Hugging Face cache: a folder in two snapshots, and a repository of files.
    let hub = "home/.cache/huggingface/hub";
    for commit in ["a1", "b2"] {
        copy("sd1", &machine.path(&format!("{hub}/models--stabilityai--sd-turbo/snapshots/{commit}")));
    }
    std::fs::create_dir_all(machine.path(&format!("{hub}/models--stabilityai--sd-turbo/refs"))).unwrap();
    std::fs::write(machine.path(&format!("{hub}/models--stabilityai--sd-turbo/refs/main")), "a1").unwrap();
    let files = machine.path(&format!("{hub}/models--someone--flux2-vae/snapshots/c3"));
    copy(
        "flux2/vae/diffusion_pytorch_model.safetensors",
        &files.join("vae/diffusion_pytorch_model.safetensors"),
    );
    write_weights(&machine.path(&format!("{hub}/datasets--a--b/snapshots/c/x.safetensors")), LORA_XL);
    // This program's own.
    for (part, number) in [("a", 1), ("b", 2)] {
        let name = format!("data/models/qwen/model-0000{number}-of-00002.safetensors");
        let tensor = format!("model.layers.0.self_attn.{part}q_proj.weight").replace("aq_", "q_");
        write_weights(&machine.path(&name), &[(&tensor, &[8, 8])]);
    }

    let library = machine.library();
    let offered: Vec<&str> = library.offered().iter().map(|folder| folder.owner.id()).collect();
    assert_eq!(offered, ["comfyui", "automatic1111", "invokeai", "hugging-face"]);
    assert!(
        listed(&machine.scanned()).iter().all(|(name, ..)| *name == "qwen"),
        "nothing is searched unasked"
    );
    for folder in library.offered() {
        machine.add(folder.path.strip_prefix(machine.root.path()).unwrap().to_str().unwrap());
    }
    let library = machine.scanned();
    assert_eq!(library.offered(), []);
    let of_invoke = id.replace('7', "8");
    assert_eq!(
        listed(&library),
        [
            (of_invoke.as_str(), "folder", "z-image"),
            ("a_t5", "text-encoder", ""),
            ("ae", "vae", "sd3"),
            ("bad-hands", "embedding", "sd1"),
            ("canny", "controlnet", "sd1"),
            ("clip_l", "text-encoder", ""),
            ("depth", "checkpoint", "sd2"),
            ("detail", "lora", "sdxl"),
            ("dream", "checkpoint", "sd1"),
            ("esrgan", "upscaler", ""),
            ("flux1-small", "diffusion-model", "flux1"),
            ("flux2-vae/vae", "vae", "flux2"),
            ("old", "unknown", ""),
            ("qwen", "unknown", ""),
            ("sd-turbo", "folder", "sd1"),
            ("t5xxl", "text-encoder", ""),
            ("taesd_decoder", "tiny-decoder", "sd1"),
            ("xl", "checkpoint", "sdxl"),
        ]
    );
    let entry = |name: &str| library.find(name).unwrap();
    assert_eq!(entry("sd-turbo").repository.as_deref(), Some("stabilityai/sd-turbo"));
    assert!(entry("sd-turbo").path.ends_with("snapshots/a1"));
    assert_eq!(entry("stabilityai/SD-turbo").name, "sd-turbo");
    assert_eq!(entry("qwen").files.len(), 2);
    assert!(entry("qwen").facts.problem.as_ref().unwrap().english().contains("it is a language model"));
    assert!(entry("old").facts.problem.as_ref().unwrap().english().contains("pickle"));
    assert_eq!(entry("detail").facts.precision, "f16");
    assert_eq!(entry("detail").bytes, std::fs::metadata(&entry("detail").path).unwrap().len());
    assert_eq!(library.notes, []);
}

#[test]
fn a_transformer_is_completed_by_the_library() {
    let machine = Machine::new();
    machine.write_flux("data/models");
    let library = machine.scanned();
    let entry = library.find("flux1-small").unwrap();
    let completed: Vec<_> = entry
        .missing
        .iter()
        .map(|part| {
            let names = part.completed_by.iter().map(|path| path.file_name().unwrap().to_str().unwrap());
            (part.role.unwrap(), names.collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(
        completed,
        [
            (PartRole::TextEncoder(0), vec!["clip_l.safetensors"]),
            // With its tokenizer first.
            (PartRole::TextEncoder(1), vec!["t5xxl.gguf", "a_t5.safetensors"]),
            (PartRole::Vae, vec!["ae.safetensors"]),
        ]
    );
    let parts = ["clip_l", "t5xxl", "ae"].map(|name| library.find(name).unwrap().facts.weight_bytes);
    assert_eq!(entry.bytes_with_parts, entry.facts.weight_bytes + parts.iter().sum::<u64>());
    assert!(entry.is_ready());
    let Ok(ModelSource::Parts(source)) = library.model("FLUX1") else { panic!("a model of several files") };
    assert!(source.vae.unwrap().ends_with("vae/ae.safetensors"));
    assert!(source.text_encoders[1].as_ref().unwrap().ends_with("text_encoders/t5xxl.gguf"));
    assert!(crate::store::ModelFiles::open(&library.model("flux1").unwrap()).is_ok());
    // Without the VAE it does not open, and without the tokenizer that is said.
    std::fs::remove_file(machine.path("data/models/vae/ae.safetensors")).unwrap();
    std::fs::remove_file(machine.path("data/models/text_encoders/t5xxl.gguf")).unwrap();
    let library = machine.scanned();
    let entry = library.find("flux1-small").unwrap();
    assert!(!entry.is_ready() && entry.missing[1].lacks_tokenizer);
    let said = library.model("flux1").unwrap_err().to_string();
    assert!(said.contains("no file for what it lacks: VAE (ae.safetensors) (--vae FILE): "), "{said}");
}

#[test]
fn names_are_exact_or_unique_beginnings() {
    let machine = Machine::new();
    copy("single/sd1.safetensors", &machine.path("data/models/a/Dream.safetensors"));
    copy("single/sd2.safetensors", &machine.path("data/models/dreamer.safetensors"));
    copy("single/sdxl.safetensors", &machine.path("data/models/b/xl.safetensors"));
    copy("single/sdxl.safetensors", &machine.path("data/models/c/xl.safetensors"));
    write_weights(&machine.path("data/models/xl-lora.safetensors"), LORA_XL);
    let library = machine.scanned();
    let name =
        |text: &str| library.find(text).map(|entry| entry.name.clone()).map_err(|error| error.to_string());
    assert_eq!(name("Dream").unwrap(), "Dream");
    assert_eq!(name("dream").unwrap(), "Dream");
    assert_eq!(name("dreame").unwrap(), "dreamer");
    assert_eq!(
        name("DR").unwrap_err(),
        "‘DR’ is the name of several models; name one of them: Dream, dreamer"
    );
    let same = name("xl").unwrap_err();
    assert!(same.contains("b/xl.safetensors") && same.contains("c/xl.safetensors"), "{same}");
    assert!(name(&machine.path("data/models/b/xl.safetensors").display().to_string()).is_ok());
    assert!(name("ream").unwrap_err().contains("did you mean Dream or dreamer?"));
    assert!(name("").is_err() && name("zzz").is_err());
    // A LoRA is no model: its name counts only where no model has it.
    let said = library.model("xl-lora").unwrap_err().to_string();
    assert!(said.starts_with("‘xl-lora’ cannot be opened: it is no model but of the kind lora: "), "{said}");
    assert!(
        matches!(library.model("dreamer"), Ok(ModelSource::Folder(path)) if path.ends_with("dreamer.safetensors"))
    );
}

#[test]
fn a_folder_is_searched_to_its_depth() {
    let machine = Machine::new();
    write_weights(&machine.path("data/models/1/2/3/4/5/6/deep.safetensors"), TINY);
    write_weights(&machine.path("data/models/1/2/3/4/5/6/7/deeper.safetensors"), TINY);
    write_weights(&machine.path("data/models/.trash/hidden.safetensors"), TINY);
    assert_eq!(listed(&machine.scanned()), [("deep", "tiny-decoder", "sd1")]);
}
