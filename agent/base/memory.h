#pragma once

namespace sonde::memory {

/// Few allocator arenas: what one thread frees, another can use. Call before there are threads.
void share_arenas();

/// Gives back what only the start needed: code and constants of libraries, and what the allocator
/// holds free. The kernel maps pages again when they are touched.
void release_startup_pages();

}  // namespace sonde::memory
