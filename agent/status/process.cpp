#include "agent/status/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace sonde::status {
namespace {

prometheus::MetricFamily family(
    const char* name, const char* help, prometheus::MetricType type, double value)
{
    prometheus::ClientMetric metric;
    if (type == prometheus::MetricType::Counter)
        metric.counter.value = value;
    else
        metric.gauge.value = value;
    return {name, help, type, {metric}};
}

double seconds(const timeval& time)
{
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

double clock_seconds(clockid_t clock)
{
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double open_descriptors()
{
    std::error_code failed;
    double count = 0;
    for (std::filesystem::directory_iterator entry{"/proc/self/fd", failed}, end;
        !failed && entry != end; entry.increment(failed))
        ++count;
    return count;
}

/// Resident and virtual memory in bytes.
std::pair<double, double> memory()
{
    std::ifstream statm{"/proc/self/statm"};
    double size = 0;
    double resident = 0;
    statm >> size >> resident;
    const auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
    return {resident * page, size * page};
}

/// Unix time of the start: now, less our age, which field 22 of /proc/self/stat tells in ticks
/// since boot. Nothing else of /proc may be visible (ProcSubset=pid, spec 06 §2.2).
double start_time()
{
    std::ifstream stat_file{"/proc/self/stat"};
    std::string line;
    std::getline(stat_file, line);
    const auto name_end = line.rfind(')');  // the name may hold blanks
    if (name_end == std::string::npos)
        return 0;
    std::istringstream rest{line.substr(name_end + 2)};
    std::string skipped;
    for (int field = 3; field < 22; ++field)
        rest >> skipped;
    double ticks = 0;
    rest >> ticks;
    const double age =
        clock_seconds(CLOCK_BOOTTIME) - ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
    return clock_seconds(CLOCK_REALTIME) - age;
}

}  // namespace

std::vector<prometheus::MetricFamily> ProcessCollector::Collect() const
{
    using Type = prometheus::MetricType;
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const auto [resident, size] = memory();
    static const double started = start_time();
    return {
        family("process_cpu_seconds_total", "User and system CPU time spent, in seconds",
            Type::Counter, seconds(usage.ru_utime) + seconds(usage.ru_stime)),
        family("process_resident_memory_bytes", "Resident memory, in bytes", Type::Gauge, resident),
        family("process_virtual_memory_bytes", "Virtual memory, in bytes", Type::Gauge, size),
        family("process_open_fds", "Open file descriptors", Type::Gauge, open_descriptors()),
        family("process_max_fds", "Most file descriptors allowed", Type::Gauge,
            static_cast<double>(limit.rlim_cur)),
        family("process_start_time_seconds", "Start of the process, in Unix seconds", Type::Gauge,
            started),
    };
}

}  // namespace sonde::status
