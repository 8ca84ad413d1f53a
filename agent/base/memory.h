#pragma once

namespace sonde::memory {

/// Few allocator arenas: what one thread frees, another can use. Call before there are threads.
void share_arenas();

/// Gives back what the allocator holds free: for this thread, and for those that have ended.
void release_free_pages();

/// Gives back what only the start needed: free pages, code and constants of libraries. The kernel
/// maps pages again when they are touched.
void release_startup_pages();

}  // namespace sonde::memory
