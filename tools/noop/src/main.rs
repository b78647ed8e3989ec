//! Does nothing: the least a WASI command can be, for measuring everything around it. It knows neither the standard
//! library nor WASI, so a fresh instance costs next to nothing.
#![cfg_attr(target_family = "wasm", no_std, no_main)]

#[cfg(target_family = "wasm")]
mod bare {
    #[expect(unsafe_code, reason = "WASI calls a command by this name")]
    #[unsafe(no_mangle)]
    extern "C" fn _start() {}

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        core::arch::wasm32::unreachable()
    }
}

#[cfg(not(target_family = "wasm"))]
fn main() {}
