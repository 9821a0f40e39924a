//! Why something failed, as a kind with its details: the command line says it in English, the window in its own
//! language.
//!
//! Every error that a user can meet converts to a [`Reason`] next to its definition, so that a new variant of an error
//! does not compile without a kind, and a new kind does not compile without its words in every language of the window.

use std::fmt;
use std::path::{Path, PathBuf};

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident,)*) => {
        /// The kind of a failure. The numbers in the descriptions are places in [`Reason::details`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum ReasonKind {
            $($(#[doc = $doc])+ $name,)*
        }

        impl ReasonKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

kinds! {
    /// What another program, a library or the system said; it stays as it is. 0: the words.
    Foreign,
    /// No file or folder has this path.
    NoSuchFile,
    /// A file could not be read. 0: what the system said.
    FileUnread,
    /// A folder where a file is needed.
    IsFolder,
    /// A pipe, device or socket where a file is needed.
    NotAFile,
    /// The file is longer than pictures and latents may be. 0: the limit, MiB.
    FileTooLong,
    /// Neither a picture, a latent nor a model.
    NothingKnown,
    /// Not a picture, where only one can be used.
    NotAPicture,

    /// A folder without a model in it. 0: the file that was looked for.
    NoModelInFolder,
    /// A file that no model opens from.
    NotAModelFile,
    /// Pickled weights.
    Pickled,
    /// A model without a part that it needs. 0: the part; 1: the command line's option for it.
    MissingPart,
    /// A file named for a part that does not fit. 0: the part.
    WrongPart,
    /// A file named for a tiny decoder that is none.
    NotATinyDecoder,
    /// The encoder of a tiny autoencoder without its decoder.
    TinyEncoderAlone,
    /// A file of weights from which no model opens.
    NotAWholeModel,
    /// A family that is not supported. 0: its pipeline's class.
    UnsupportedFamily,
    /// A configuration file of a model is not what it should be. 0: in what way.
    ModelFileDamaged,
    /// A model's file made a library fail. 0: where.
    ModelFileUnexpected,
    /// The tokenizer's files cannot be used. 0: why.
    TokenizerDamaged,
    /// The scheduler's configuration is not supported. 0: why.
    SchedulerUnsupported,
    /// A network could not be built or run. 0: the part; 1: why.
    NetworkFailed,
    /// A file of weights is not what it should be. 0: in what way.
    WeightsDamaged,
    /// A tensor is missing. 0: its name; 1: its shape.
    TensorMissing,
    /// A tensor has the wrong shape. 0: its name; 1: the right shape; 2: its shape.
    TensorShape,
    /// A tensor cannot be read. 0: its name; 1: why.
    TensorUnusable,
    /// Too little memory is free. 0: what is needed; 1: what is free.
    TooLittleMemory,
    /// More memory than the user allows. 0: what is needed; 1: what is left; 2: the limit.
    AboveMemoryLimit,
    /// The device cannot be used. 0: why.
    DeviceUnusable,
    /// A device computes wrong results. 0: the device; 1: the operation; 2: the number format.
    DeviceWrong,
    /// The device's memory is too short. 0: what its driver said.
    DeviceOutOfMemory,
    /// The device has failed while it computed. 0: what its driver said.
    DeviceLost,

    /// The prompt has too many tokens. 0: most chunks; 1: tokens of a chunk.
    PromptTooLong,
    /// A token outside the table of the text encoder. 0: the token; 1: its number; 2: rows of the table.
    TokenWithoutRow,
    /// A latent or picture does not fit the model. 0: in what way.
    DoesNotFit,
    /// A step gave NaN or infinity. 0: the step; 1: steps in all.
    StepNonFinite,
    /// This number of steps is not possible. 0: the steps; 1: the most.
    StepsImpossible,
    /// The decoder gave NaN or infinity.
    DecodedNonFinite,
    /// A text encoder gave NaN or infinity. 0: the part.
    PartNonFinite,
    /// Weights hold NaN or infinity. 0: the part; 1: the tensor.
    WeightsNonFinite,
    /// A latent holds NaN or infinity. 0: how many values; 1: of how many.
    LatentNonFinite,
    /// An operation of the network failed. 0: why.
    ComputationFailed,
    /// A bug in the program. 0: what was said, and where.
    Bug,

    /// An empty file where a picture should be.
    PictureEmpty,
    /// No picture of a known format.
    PictureUnknown,
    /// A picture that is cut off. 0: its format.
    PictureTruncated,
    /// A picture in too many bytes. 0: its bytes; 1: the limit.
    PictureTooManyBytes,
    /// A picture of too many pixels. 0: width; 1: height; 2: the limit.
    PictureTooManyPixels,
    /// A picture that is damaged, or of an unsupported kind. 0: its format; 1: in what way.
    PictureDamaged,
    /// No file of a latent.
    NotALatent,
    /// A latent's file is damaged. 0: its format; 1: in what way.
    LatentDamaged,
    /// A file without a tensor that is a latent. 0: the tensors.
    NoLatentTensor,
    /// A tensor of the wrong shape for a latent. 0: its shape.
    LatentShape,
    /// A latent in another number format. 0: the format.
    LatentDtype,

    /// Pictures are not written with this extension. 0: the extension.
    UnknownExtension,
    /// Animations are not written with this extension. 0: the extension.
    UnknownAnimation,
    /// A picture could not be encoded. 0: the format; 1: why.
    EncodeFailed,
    /// Frames could not be encoded. 0: the format; 1: why.
    FramesNotEncoded,
    /// The program ffmpeg is not there.
    NoFfmpeg,
    /// The program ffmpeg failed. 0: what it said.
    FfmpegFailed,
    /// A folder for new files has other ones.
    FolderNotEmpty,
    /// A file has the folder's name.
    NameIsFile,
    /// The user may not write there.
    WriteDenied,
    /// The disk or the quota is full.
    DiskFull,
    /// The folder to write into does not exist.
    NoFolderToWrite,
    /// A folder has the file's name.
    NameIsFolder,
    /// The file's name is too long.
    NameTooLong,
    /// No file can have this name.
    NameInvalid,
    /// A pipe or device, which is not written to.
    IsStream,
    /// Writing failed otherwise. 0: what the system said.
    WriteFailed,
    /// Every name that was tried is taken.
    NoNameFree,
    /// What should be written is not there yet.
    NothingToWrite,
    /// A run that has no steps to show.
    NoSteps,
    /// The model of a run is not the loaded one. 0: its name.
    OtherModelLoaded,
    /// A sheet of a latent without values.
    SheetEmpty,
    /// A sheet that would be too large. 0: width; 1: height, pixels.
    SheetTooLarge,

    /// A kept run that another window or command is writing.
    RunInUse,
    /// A run that a newer version of the program kept.
    RunIsNewer,
    /// A kept run that cannot be used. 0: why.
    RunDamaged,
    /// A step of a run that is not kept. 0: the step; 1: how many are.
    StepNotKept,
    /// Something cannot be moved to the trash. 0: what the system said.
    TrashFailed,

    /// The engine has too many commands waiting.
    EngineFull,
    /// The engine has ended.
    EngineGone,

    /// An empty file, or one of zeros.
    ContentEmpty,
    /// A pointer of Git LFS. 0: the command that gets the file.
    ContentPointer,
    /// The text of a link.
    ContentLink,
    /// A web page, or a server's error.
    ContentPage,
    /// A text. 0: its kind or its beginning.
    ContentText,
    /// A Python pickle.
    ContentPickle,
    /// An archive. 0: its format.
    ContentArchive,
    /// A picture of a format that is not read. 0: the format.
    ContentForeignPicture,
    /// Another known format. 0: its name.
    ContentNamed,
    /// Nothing is known of it.
    ContentUnknown,

    /// A LoRA.
    WeightsLora,
    /// A ControlNet.
    WeightsControlNet,
    /// An autoencoder alone.
    WeightsVae,
    /// A text encoder alone.
    WeightsTextEncoder,
    /// A language model.
    WeightsLanguageModel,
    /// Vectors for words.
    WeightsEmbedding,
    /// A network that enlarges pictures.
    WeightsUpscaler,
    /// A run that others are compared with has no picture.
    RunWithoutPicture,
    /// A network that finds pictures by words.
    WeightsPictureSearch,
    /// SigLIP 2 for pictures of any shape, or with encoders of two widths.
    WeightsSigLipOther,
    /// A network that describes pictures.
    WeightsPictureDescription,
    /// A model of videos.
    WeightsVideo,
    /// The refiner of Stable Diffusion XL.
    WeightsRefiner,
    /// A denoising network of a family, alone or not supported. 0: the family.
    WeightsDenoiser,
    /// Weights with unknown names.
    WeightsUnknown,

    /// The user may not read a file of the library.
    ReadDenied,
    /// A number format that is not supported. 0: its name.
    PrecisionUnsupported,
    /// Weights in several files, outside of a model's folder.
    SeveralFiles,
    /// A part of a model cannot be used; the cause says why. 0: the part.
    PartUnusable,
    /// An entry of the library is no model. 0: its kind.
    NoModelItself,
    /// The library has no file for what a model lacks. 0: the parts.
    PartsLacking,
    /// The file of the library's folders cannot be used. 0: why.
    LibraryChoices,
    /// The system names no folder for the library.
    LibraryNowhere,
    /// No model, or several, of the library have a name. 0: the name.
    LibraryName,
    /// What was being done was stopped.
    Stopped,
    /// A link leads out of the library's folders.
    LinkLeadsOut,
    /// A link leads to nothing.
    LinkToNothing,
    /// A folder of the library is not there.
    FolderGone,
    /// A folder that the user may not read.
    FolderForbidden,
    /// A folder cannot be read. 0: what the system said.
    FolderUnread,
    /// A file in the place of a folder of the library.
    FolderIsFile,
    /// More files than are searched. 0: how many are.
    TooManyFiles,
    /// A folder in ComfyUI's list is not there.
    ComfyFolderGone,
    /// A line of ComfyUI's list is left out. 0: what is the matter with it.
    ComfyLeftOut,
    /// ComfyUI's list cannot be read. 0: why.
    ComfyFoldersUnknown,

    /// What was typed names nothing that can be fetched. 0: what was typed.
    HubAddress,
    /// A variable of the environment cannot be used. 0: its name; 1: why.
    HubVariable,
    /// The hub may not be asked.
    HubOffline,
    /// No connection to a host. 0: the host; 1: why.
    HubUnreachable,
    /// No secure connection to a host. 0: the host; 1: why.
    HubInsecure,
    /// A connection broke. 0: the host; 1: why.
    HubBroken,
    /// A host sends nothing. 0: the host; 1: seconds.
    HubStalled,
    /// A server is busy. 0: the host; 1: the HTTP status.
    HubBusy,
    /// Another HTTP status. 0: the status; 1: the address.
    HubStatus,
    /// There is no such repository, revision or file. 0: the address.
    HubNotFound,
    /// The terms of a repository must be accepted first. 0: the repository; 1: its page.
    HubGated,
    /// A repository does not exist, or may not be seen. 0: the repository; 1: its page.
    HubHidden,
    /// The hub refuses the token.
    HubBadToken,
    /// A redirect that leads nowhere or must not be followed. 0: the address.
    HubRedirect,
    /// A page came in place of a file. 0: the address.
    HubPage,
    /// The answer of a server cannot be used. 0: why; 1: the address.
    HubBadAnswer,
    /// A file has another length than is listed. 0: the file; 1: what is sent; 2: what is listed.
    HubWrongLength,
    /// A file has another hash than is listed. 0: the file.
    HubWrongHash,
    /// A file changes while it is fetched. 0: the file.
    HubChanging,
    /// Too little space on the disk. 0: what is needed; 1: what is free.
    HubSpace,
    /// Another file has the name.
    HubOccupied,
    /// A file or folder of the cache cannot be used. 0: why.
    HubDisk,
    /// The token cannot be stored. 0: why.
    HubToken,
    /// A repository has no weights that open. 0: the repository.
    HubNoWeights,
    /// A repository has no such file or folder. 0: the repository; 1: its path.
    HubNoSuchFile,
}

impl ReasonKind {
    /// Whether the hub wants an account that may have what was asked for, or another token.
    pub fn is_of_account(self) -> bool {
        matches!(self, Self::HubGated | Self::HubHidden | Self::HubBadToken)
    }
}

/// Why something failed. Displayed, it is the English sentence.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reason {
    kind: ReasonKind,
    details: Vec<String>,
    path: Option<PathBuf>,
    cause: Option<Box<Reason>>,
    english: String,
}

impl Reason {
    /// A reason of this kind. `english` is the whole sentence, with its details, path and cause.
    pub fn new(kind: ReasonKind, english: impl fmt::Display) -> Self {
        Self { kind, details: Vec::new(), path: None, cause: None, english: english.to_string() }
    }

    /// Adds what the kind's words name: tensors, numbers, what a library said.
    #[must_use]
    pub fn with<'a>(mut self, details: impl IntoIterator<Item = &'a dyn fmt::Display>) -> Self {
        self.details.extend(details.into_iter().map(ToString::to_string));
        self
    }

    /// Adds the path that the user gave.
    #[must_use]
    pub fn at(mut self, path: &Path) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Adds what stands in the way, such as the kind of a file that is no model.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Self>) -> Self {
        self.cause = Some(Box::new(cause.into()));
        self
    }

    /// The same reason in another English sentence, such as one that names a path as well.
    #[must_use]
    pub fn said(mut self, english: impl fmt::Display) -> Self {
        self.english = english.to_string();
        self
    }

    /// The kind.
    pub fn kind(&self) -> ReasonKind {
        self.kind
    }

    /// The details of the kind.
    pub fn details(&self) -> &[String] {
        &self.details
    }

    /// The file or folder that it is about.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What stands in the way.
    pub fn cause(&self) -> Option<&Self> {
        self.cause.as_deref()
    }

    /// The English sentence.
    pub fn english(&self) -> &str {
        &self.english
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.english)
    }
}

impl std::error::Error for Reason {}

/// The words of the system or of a library.
impl From<&str> for Reason {
    fn from(words: &str) -> Self {
        Self::new(ReasonKind::Foreign, words).with([&words as &dyn fmt::Display])
    }
}

/// The words of the system or of a library.
impl From<String> for Reason {
    fn from(words: String) -> Self {
        words.as_str().into()
    }
}
