#include "agent/cli/queue.h"

#include "agent/cli/cli.h"
#include "config/values.h"
#include "exporters/journal.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <map>
#include <utility>
#include <vector>

namespace sonde::cli {
namespace {

using exporters::Gap;
using exporters::Journal;
using exporters::Waiting;

std::int64_t now_ms()
{
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

int complain(std::string_view what)
{
    fmt::print(stderr, "sonde queue: {}\n", what);
    return failure;
}

/// What waits for one way out of a tenant.
struct Lane {
    std::size_t records = 0;
    std::size_t bytes = 0;
    std::int64_t oldest_ms = 0;
    std::int64_t newest_ms = 0;

    void add(const Waiting& waiting)
    {
        oldest_ms = records == 0 ? waiting.timestamp_ms : std::min(oldest_ms, waiting.timestamp_ms);
        newest_ms = std::max(newest_ms, waiting.timestamp_ms);
        ++records;
        bytes += waiting.bytes;
    }
};
using Lanes = std::map<std::pair<exporters::TenantKey, exporters::Type>, Lane>;

/// What is missing at a remote for one reason.
struct Missing {
    std::uint64_t runs = 0;
    std::int64_t from_ms = 0;
    std::int64_t to_ms = 0;

    void add(const Gap& gap)
    {
        from_ms = runs == 0 ? gap.from_ms : std::min(from_ms, gap.from_ms);
        to_ms = std::max(to_ms, gap.to_ms);
        runs += gap.runs;
    }
};

std::string time_text(std::int64_t ms)
{
    const std::time_t seconds = ms / 1000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &parts);
    return text;
}

Lanes lanes_of(const std::vector<Waiting>& all)
{
    Lanes lanes;
    for (const Waiting& waiting : all)
        lanes[{waiting.tenant, waiting.type}].add(waiting);
    return lanes;
}

std::map<std::string_view, Missing> missing_of(const std::vector<Gap>& gaps)
{
    std::map<std::string_view, Missing> by_reason;
    for (const Gap& gap : gaps)
        by_reason[exporters::name_of(gap.reason)].add(gap);
    return by_reason;
}

void print_human(const Journal::Recovered& found)
{
    const auto lanes = lanes_of(found.waiting);
    if (lanes.empty())
        fmt::print("Nothing waits.\n");
    else
        fmt::print("{:<6} {:>8} {:<8} {:>8} {:>12}  {:<21} {}\n", "ORIGIN", "TENANT", "TYPE",
            "RECORDS", "BYTES", "OLDEST", "NEWEST");
    for (const auto& [key, lane] : lanes)
        fmt::print("{:<6} {:>8} {:<8} {:>8} {:>12}  {:<21} {}\n",
            exporters::name_of(key.first.origin), key.first.id, exporters::name_of(key.second),
            lane.records, lane.bytes, time_text(lane.oldest_ms), time_text(lane.newest_ms));
    const auto missing = missing_of(found.gaps);
    if (missing.empty())
        return;
    fmt::print("\n{:<16} {:>8}  {:<21} {}\n", "MISSING BECAUSE", "RUNS", "FROM", "TO");
    for (const auto& [reason, runs] : missing)
        fmt::print("{:<16} {:>8}  {:<21} {}\n", reason, runs.runs, time_text(runs.from_ms),
            time_text(runs.to_ms));
}

void print_json(const Journal::Recovered& found)
{
    nlohmann::ordered_json out{{"schema_version", 1}, {"waiting", nlohmann::ordered_json::array()},
        {"gaps", nlohmann::ordered_json::array()}};
    for (const auto& [key, lane] : lanes_of(found.waiting))
        out["waiting"].push_back({{"origin", exporters::name_of(key.first.origin)},
            {"tenant", key.first.id}, {"type", exporters::name_of(key.second)},
            {"records", lane.records}, {"bytes", lane.bytes}, {"oldest_ms", lane.oldest_ms},
            {"newest_ms", lane.newest_ms}});
    for (const Gap& gap : found.gaps) {
        nlohmann::ordered_json one{{"origin", exporters::name_of(gap.tenant.origin)},
            {"tenant", gap.tenant.id},
            {"check", gap.check ? nlohmann::ordered_json(gap.check->id) : nullptr},
            {"from_ms", gap.from_ms}, {"to_ms", gap.to_ms}, {"runs", gap.runs},
            {"samples", gap.samples}, {"events", gap.events},
            {"reason", exporters::name_of(gap.reason)}};
        out["gaps"].push_back(std::move(one));
    }
    fmt::print("{}\n", out.dump(2));
}

/// The gap that dropping something leaves.
Gap gap_of(const Waiting& what)
{
    Gap gap;
    gap.check = what.run_of;
    gap.tenant = what.tenant;
    gap.from_ms = gap.to_ms = what.timestamp_ms;
    gap.runs = what.run_of ? 1 : 0;
    gap.samples = what.type == exporters::Type::metrics;
    gap.events = what.type == exporters::Type::logs;
    gap.reason = exporters::GapReason::removed;
    return gap;
}

bool is_meant(const Waiting& what, const QueueOptions& options, std::int64_t before_ms)
{
    return (!options.tenant || *options.tenant == what.tenant.id) &&
           (options.origin.empty() || options.origin == exporters::name_of(what.tenant.origin)) &&
           (options.type.empty() || options.type == exporters::name_of(what.type)) &&
           what.timestamp_ms < before_ms;
}

/// Numbers of the API and of the file may coincide.
bool of_both_origins(const std::vector<Waiting>& all, std::int64_t tenant)
{
    const auto has = [&](exporters::Origin origin) {
        return std::any_of(all.begin(), all.end(), [&](const Waiting& each) {
            return each.tenant == exporters::TenantKey{origin, tenant};
        });
    };
    return has(exporters::Origin::api) && has(exporters::Origin::file);
}

int list(const QueueOptions& options)
{
    const auto found = Journal::inspect(options.directory);
    if (!found)
        return complain(found.error().message);
    options.output == "json" ? print_json(*found) : print_human(*found);
    return success;
}

int drop(const QueueOptions& options)
{
    std::int64_t before_ms = std::numeric_limits<std::int64_t>::max();
    if (!options.older_than.empty()) {
        const auto age = config::parse_duration(options.older_than);
        if (!age)
            return complain("--older-than: " + age.error().message);
        before_ms = now_ms() - age->count();
    }
    Journal::Options journal_options;
    journal_options.directory = options.directory;
    journal_options.max_bytes = std::size_t{1} << 50U;  // only what was asked for goes
    journal_options.max_age = std::chrono::hours{24 * 36'500};
    auto opened = Journal::open(journal_options, now_ms());
    if (!opened)
        return complain(opened.error().reason == "journal_locked"
                            ? opened.error().message + ": stop the agent first"
                            : opened.error().message);
    auto& [journal, found] = *opened;
    if (options.tenant && options.origin.empty() && of_both_origins(found.waiting, *options.tenant))
        return complain(fmt::format("the API and the file both have a tenant {}: give --origin, "
                                    "api or file",
            *options.tenant));
    Journal::Batch batch;
    batch.gaps = found.found;
    for (const Waiting& waiting : found.waiting)
        if (is_meant(waiting, options, before_ms)) {
            batch.settled.push_back({waiting.sequence, waiting.type});
            batch.gaps.push_back(gap_of(waiting));
        }
    const std::size_t records = batch.settled.size();
    if (!options.yes) {
        fmt::print("{} records would be dropped; say --yes to do it\n", records);
        return success;
    }
    if (const auto written = journal->write(batch, now_ms()); written.failed)
        return complain(written.failed->message);
    if (const auto synced = journal->sync(); !synced)
        return complain(synced.error().message);
    fmt::print("{} records dropped\n", records);
    return success;
}

void add_place(CLI::App& verb, QueueOptions& options)
{
    verb.add_option("--config", options.config_file, "Configuration file that names the journal")
        ->type_name("FILE")
        ->capture_default_str();
    verb.add_option("--directory", options.directory, "The journal's directory, instead")
        ->type_name("DIR");
    verb.add_flag("--allow-inline-secrets", options.load.allow_inline_secrets,
        "Accept secrets written into the file");
}

}  // namespace

QueueVerbs::QueueVerbs(CLI::App& app, const std::string& config_file)
{
    options_.config_file = config_file;
    CLI::App* queue = app.add_subcommand("queue", "What is published and not yet delivered");
    queue->require_subcommand(1);
    list_ = queue->add_subcommand("ls", "List what waits and what is missing");
    list_->add_option("-o,--output", options_.output, "human or json")
        ->check(CLI::IsMember({"human", "json"}))
        ->capture_default_str();
    drop_ = queue->add_subcommand("drop", "Drop what waits; the agent must not run");
    drop_->add_option("--tenant", options_.tenant, "Only of this tenant")->type_name("ID");
    drop_->add_option("--origin", options_.origin, "Only of tenants of the API, or of the file")
        ->check(CLI::IsMember({"api", "file"}));
    drop_->add_option("--type", options_.type, "Only metrics or logs")
        ->check(CLI::IsMember({"metrics", "logs"}));
    drop_->add_option("--older-than", options_.older_than, "Only what was due longer ago than this")
        ->type_name("DURATION");
    drop_->add_flag("--yes", options_.yes, "Do it; without, it is only counted");
    for (CLI::App* verb : {list_, drop_})
        add_place(*verb, options_);
}

bool QueueVerbs::parsed() const
{
    return list_->parsed() || drop_->parsed();
}

int QueueVerbs::run() const
{
    QueueOptions options = options_;
    if (options.directory.empty()) {
        options.load.environment = config::process_environment();
        const auto config = load(options.config_file, options.load);
        if (!config)
            return usage;
        options.directory = config->journal.directory;
    }
    return list_->parsed() ? list(options) : drop(options);
}

}  // namespace sonde::cli
