// `publisher`, `journal` and `status`: where results wait, and what the process says of itself
// (spec 07 §5 and §6).
#include "config/sections.h"

namespace sonde::config {
namespace {

constexpr std::size_t smallest_journal = 16 << 20;  // two segments

}  // namespace

void read_publisher(Section section, PublisherConfig& config)
{
    section.read("flush_every", config.flush_every);
    section.read_bytes("request_bytes", config.request_bytes);
    section.read("request_timeout", config.request_timeout);
    section.read_bytes("max_queue_bytes", config.max_queue_bytes);
    section.read("max_queue_age", config.max_queue_age);
    section.read("shutdown_flush", config.shutdown_flush);
    section.read_path("ca_file", config.ca_file);
    std::string proxy;
    const bool has_proxy = section.has("proxy");
    section.read_url("proxy", proxy);
    if (has_proxy)
        config.proxy = proxy;
    if (config.request_bytes == 0)
        section.problem("request_bytes", "must be at least 1");
    section.at_least("request_timeout", config.request_timeout, 1ms);
    section.at_least("max_queue_age", config.max_queue_age, 1ms);
    if (config.max_queue_bytes < config.request_bytes)
        section.problem("max_queue_bytes",
            fmt::format("must not be below request_bytes, {}", print_size(config.request_bytes)));
}

void read_journal(Section section, const std::string& state_dir, const PublisherConfig& publisher,
    JournalConfig& config)
{
    section.read("enabled", config.enabled);
    config.directory = "journal";
    section.read_path("directory", config.directory, state_dir);
    config.directory = absolute(config.directory, state_dir);
    section.read_bytes("max_bytes", config.max_bytes);
    section.read("max_age", config.max_age);
    section.read("sync_every", config.sync_every);
    if (config.directory.empty())
        section.problem("directory", "must not be empty; enabled: false switches the journal off");
    if (config.max_bytes < smallest_journal)
        section.problem(
            "max_bytes", fmt::format("must be at least {}", print_size(smallest_journal)));
    else if (config.enabled && config.max_bytes <= publisher.max_queue_bytes)
        section.problem("max_bytes", fmt::format("must exceed publisher.max_queue_bytes, {}",
                                         print_size(publisher.max_queue_bytes)));
    section.at_least("max_age", config.max_age, 1s);
}

void read_status(Section section, StatusConfig& config)
{
    std::string listen = config.listen->text();
    section.read("listen", listen);
    if (listen == "off") {
        config.listen.reset();
    } else {
        auto address = split_host_port(listen);
        if (address)
            config.listen = *address;
        else
            section.problem("listen", fmt::format("{}, or off", address.error().message));
    }
    section.read("sticky_ready", config.sticky_ready);
    section.read("results", config.results);
    section.read("allow_reload", config.allow_reload);
    section.read("allow_disconnect", config.allow_disconnect);
    section.read("allow_log_level", config.allow_log_level);
    section.read("push_every", config.push_every);
    if (config.push_every)
        section.at_least("push_every", *config.push_every, 1s);
}

}  // namespace sonde::config
