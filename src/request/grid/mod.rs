//! Grids: pictures that differ in one to three settings, as columns, rows and pages.
//!
//! An axis is written `SETTING=VALUE,VALUE`: see [`GridAxis`]. A [`Grid`] makes the draft of each of its cells from one
//! draft, in the order that changes first what is cheap to change.

mod axis;
mod cells;
mod error;
mod setting;
mod value;
mod words;

pub use axis::GridAxis;
pub use cells::{Grid, Place};
pub use error::GridError;
pub use setting::GridSetting;
pub use value::GridValue;
