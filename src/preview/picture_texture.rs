//! Textures of decoded pictures.

/// Format of the decoded texture: display-encoded bytes, as egui expects.
pub(super) const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

/// The extent of a texture of one layer, columns and rows.
pub(super) fn extent([width, height]: [usize; 2]) -> wgpu::Extent3d {
    wgpu::Extent3d { width: width as u32, height: height as u32, depth_or_array_layers: 1 }
}
