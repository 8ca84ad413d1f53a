#include "agent/base/memory.h"

#include <link.h>
#ifdef SONDE_MIMALLOC
#include <mimalloc.h>
#else
#include <malloc.h>
#endif
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace sonde::memory {
namespace {

/// Segments that are never written to hold what is in their file: nothing is lost.
int release_segments(dl_phdr_info* object, std::size_t, void*)
{
    static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const auto& segment = object->dlpi_phdr[i];
        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0)
            continue;
        const std::uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
        const std::uintptr_t end =
            (object->dlpi_addr + segment.p_vaddr + segment.p_filesz + page - 1) & ~(page - 1);
        ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    }
    return 0;
}

}  // namespace

void share_arenas()
{
#ifndef SONDE_MIMALLOC  // its heaps are small, and what another thread frees goes back to them
    ::mallopt(M_ARENA_MAX, 2);
#endif
}

void release_free_pages()
{
#ifdef SONDE_MIMALLOC
    ::mi_collect(true);
#else
    ::malloc_trim(0);
#endif
}

void release_startup_pages()
{
    release_free_pages();
    ::dl_iterate_phdr(release_segments, nullptr);
}

}  // namespace sonde::memory
