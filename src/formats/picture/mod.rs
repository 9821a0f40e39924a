//! Reading, writing and resampling pictures.

mod embed;
mod export;
mod profile;
mod read;
mod resample;
mod structure;
mod write;

pub(in crate::formats) use embed::{exif_with_user_comment, xmp_packet};
pub use export::write_channel_png16;
pub use read::{PictureError, PictureRemark, ReadOptions, ReadPicture, picture_from_bytes, read_picture};
pub(in crate::formats) use resample::scale;
pub use resample::{cover, crop_to_multiple, enlarged, pad_to_multiple, shrink_to_edge, shrink_to_pixels};
pub(in crate::formats) use write::add_png_facts;
pub use write::{PictureFormat, WriteOptions, WritePictureError, encode_picture, write_picture};
