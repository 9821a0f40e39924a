//! The reasons of failed background tasks.

use crate::formats::atomic::WriteFileError;
use crate::formats::latent_file::LatentFileError;
use crate::formats::picture::{PictureError, WritePictureError};
use crate::formats::{ReadFileError, SheetError};
use crate::reason::{Reason, ReasonKind};

/// Why a file could not be read or written.
pub(super) fn reason_of(error: &anyhow::Error) -> Reason {
    fn of<'a, E>(error: &'a anyhow::Error) -> Option<Reason>
    where
        E: std::error::Error + Send + Sync + 'static,
        Reason: From<&'a E>,
    {
        error.downcast_ref::<E>().map(Reason::from)
    }
    let known = error
        .downcast_ref::<Reason>()
        .cloned()
        .or_else(|| of::<ReadFileError>(error))
        .or_else(|| of::<PictureError>(error))
        .or_else(|| of::<LatentFileError>(error))
        .or_else(|| of::<WritePictureError>(error))
        .or_else(|| of::<WriteFileError>(error))
        .or_else(|| of::<SheetError>(error));
    // What context adds, such as a path, belongs to the sentence.
    let said = format!("{error:#}");
    match known {
        Some(reason) => reason.said(said),
        None => match error.downcast_ref::<std::io::Error>() {
            Some(error) => Reason::new(ReasonKind::WriteFailed, said).with([error as _]),
            None => said.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use anyhow::Context as _;

    use super::*;
    use crate::formats::latent_file::read_latent;
    use crate::formats::picture::{ReadOptions, picture_from_bytes};

    #[test]
    fn the_kind_of_an_error_survives_its_context() {
        let nowhere = Path::new("/nowhere/a.latent");
        let error = read_latent(nowhere).context("the kept latent").map(|_| ()).unwrap_err();
        let reason = reason_of(&error);
        assert_eq!((reason.kind(), reason.path()), (ReasonKind::NoSuchFile, Some(nowhere)));
        assert_eq!(reason.english(), "the kept latent: No such file or folder: /nowhere/a.latent");
        let error = picture_from_bytes(b"", &ReadOptions::default()).map(|_| ()).unwrap_err();
        assert_eq!(reason_of(&error.into()).kind(), ReasonKind::PictureEmpty);
        let error = anyhow::Error::new(Reason::new(ReasonKind::IsStream, "a pipe"));
        assert_eq!(reason_of(&error).kind(), ReasonKind::IsStream);
        assert_eq!(reason_of(&std::io::Error::other("full").into()).kind(), ReasonKind::WriteFailed);
        assert_eq!(reason_of(&anyhow::anyhow!("odd")).kind(), ReasonKind::Foreign);
    }
}
