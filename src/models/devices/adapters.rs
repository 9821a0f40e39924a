//! The graphics adapters of the machine, as wgpu knows them: what draws the window, and the drivers' names.

use std::task::{Context, Poll, Waker};

/// A graphics adapter under one interface; an adapter with several drivers comes several times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// Its name.
    pub name: String,
    /// `Vulkan`, `Metal`, `DX12` or `GL`.
    pub interface: String,
    /// Whether it is a program of the processor.
    pub is_software: bool,
    /// The driver and its version, as far as they are known.
    pub driver: String,
    /// The vendor's number on the PCI bus.
    pub vendor: u32,
}

/// NVIDIA's number on the PCI bus.
pub(super) const NVIDIA: u32 = 0x10de;

/// All adapters of Vulkan, Metal and DX12; those of OpenGL if there are no others.
pub fn adapters() -> Vec<Adapter> {
    let of_backends = |backends| {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = backends;
        ready(wgpu::Instance::new(descriptor).enumerate_adapters(backends)).unwrap_or_default()
    };
    let mut found = of_backends(wgpu::Backends::PRIMARY);
    if found.is_empty() {
        found = of_backends(wgpu::Backends::SECONDARY);
    }
    let of = |adapter: wgpu::Adapter| {
        let info = adapter.get_info();
        let interface = match info.backend {
            wgpu::Backend::Dx12 => "DX12".to_owned(),
            wgpu::Backend::Gl => "OpenGL".to_owned(),
            other => format!("{other:?}"),
        };
        Adapter {
            name: info.name,
            interface,
            is_software: info.device_type == wgpu::DeviceType::Cpu,
            driver: [info.driver, info.driver_info].join(" ").trim().to_owned(),
            vendor: info.vendor,
        }
    };
    let mut adapters: Vec<Adapter> = found.into_iter().map(of).collect();
    adapters.dedup();
    adapters
}

/// The value of a future that is ready, as wgpu's are where it runs natively.
fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
