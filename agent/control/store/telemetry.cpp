#include "agent/control/store/telemetry.h"

#include "agent/base/logfmt.h"
#include "agent/control/store/probes.h"
#include "agent/control/store/statement.h"
#include "agent/control/store/tenants.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <compare>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sonde::control::store {
namespace {

constexpr std::size_t most_entries = 10'000;  // of a message
constexpr int most_labels = 32;
constexpr std::size_t longest_label = 2048;
constexpr int most_regions = 999;  // spec 01 §6
constexpr std::chrono::hours silent_for{90 * 24};
constexpr std::array<std::string_view, 3> classes = {"protocol", "scripted", "browser"};
constexpr std::string_view of_names =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

struct Figures {
    std::int64_t executions = 0;
    double duration = 0;  // seconds
    std::int64_t sampled = 0;
};

/// What figures are of, for one process of an agent and one region.
struct Key {
    std::int64_t tenant = 0;
    std::string check_class;
    std::string labels_digest;
    auto operator<=>(const Key&) const = default;
};

struct Entry {
    Key key;
    std::string labels;  // logfmt, by name
    Figures figures;
};

struct Source {
    std::int64_t probe = 0;
    std::string instance;
    int region = 0;
};

bool is_name(std::string_view text, std::size_t longest)
{
    return !text.empty() && text.size() <= longest &&
           text.find_first_not_of(of_names) == std::string_view::npos;
}

/// PostgreSQL takes no U+0000, and no label of a check has control characters.
bool is_value(std::string_view text)
{
    return text.size() <= longest_label && std::none_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
}

std::optional<std::map<std::string, std::string>> labels_of(const pb::CheckClassTelemetry& entry)
{
    std::map<std::string, std::string> labels;
    if (entry.costattributionlabels_size() > most_labels)
        return std::nullopt;
    for (const auto& label : entry.costattributionlabels()) {
        if (!is_name(label.name(), longest_label) || !is_value(label.value()))
            return std::nullopt;
        labels[label.name()] = label.value();
    }
    return labels;
}

std::optional<Entry> entry_of(std::int64_t tenant, const pb::CheckClassTelemetry& said)
{
    const auto labels = labels_of(said);
    const bool known = said.checkclass() >= 0 && said.checkclass() < std::ssize(classes);
    if (!labels || !known || said.executions() < 0 || said.sampledexecutions() < 0 ||
        !std::isfinite(said.duration()) || said.duration() < 0)
        return std::nullopt;
    Entry entry;
    for (const auto& [name, value] : *labels)
        logfmt::append(entry.labels, name, value);
    entry.key = {tenant, std::string{classes.at(static_cast<std::size_t>(said.checkclass()))},
        sha256_hex(entry.labels)};
    entry.figures = {said.executions(), double{said.duration()}, said.sampledexecutions()};
    return entry;
}

/// Tenants that may have checks on the probe: of a public one all, of another its own.
class Clients {
public:
    Clients(Transaction& db, std::int64_t probe) : db_{db}, probe_{find_probe(db, probe)} {}

    bool include(std::int64_t tenant)
    {
        if (!probe_ || (!probe_->probe.public_() && probe_->probe.tenantid() != tenant))
            return false;
        const auto [known, is_new] = exist_.try_emplace(tenant, false);
        if (is_new)
            known->second = tenant_exists(db_, tenant);
        return known->second;
    }

private:
    Transaction& db_;
    std::optional<StoredProbe> probe_;
    std::map<std::int64_t, bool> exist_;
};

std::map<Key, Figures> said_before(Transaction& db, const Source& by)
{
    std::map<Key, Figures> out;
    Key key;
    Figures figures;
    auto rows = executed(db,
        "SELECT tenant_id, class, labels_digest, executions, duration_s, "
        "sampled_executions FROM telemetry_said WHERE probe_id = :probe AND instance = "
        ":instance AND region_id = :region",
        soci::use(by.probe), soci::use(by.instance), soci::use(by.region), soci::into(key.tenant),
        soci::into(key.check_class), soci::into(key.labels_digest), soci::into(figures.executions),
        soci::into(figures.duration), soci::into(figures.sampled));
    while (rows.fetch())
        out[key] = figures;
    return out;
}

void say(Transaction& db, const Source& by, const Key& key, const Figures& figures)
{
    const std::int64_t now = db.now_us();
    db.sql() << "INSERT INTO telemetry_said (probe_id, instance, region_id, tenant_id, class, "
                "labels_digest, executions, duration_s, sampled_executions, said_us) VALUES "
                "(:probe, :instance, :region, :tenant, :class, :digest, :executions, :duration, "
                ":sampled, :now) ON CONFLICT (probe_id, instance, region_id, tenant_id, class, "
                "labels_digest) DO UPDATE SET executions = excluded.executions, duration_s = "
                "excluded.duration_s, sampled_executions = excluded.sampled_executions, said_us = "
                "excluded.said_us",
        soci::use(by.probe), soci::use(by.instance), soci::use(by.region), soci::use(key.tenant),
        soci::use(key.check_class), soci::use(key.labels_digest), soci::use(figures.executions),
        soci::use(figures.duration), soci::use(figures.sampled), soci::use(now);
}

void add(Transaction& db, const Source& by, const Entry& entry, const Figures& more)
{
    const std::chrono::sys_time<std::chrono::microseconds> now{
        std::chrono::microseconds{db.now_us()}};
    const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(now)};
    const std::string month = fmt::format(
        "{:04}-{:02}", static_cast<int>(day.year()), static_cast<unsigned>(day.month()));
    const Key& key = entry.key;
    db.sql() << "INSERT INTO telemetry (month, tenant_id, probe_id, region_id, class, "
                "labels_digest, labels, executions, duration_s, sampled_executions) VALUES "
                "(:month, :tenant, :probe, :region, :class, :digest, :labels, :executions, "
                ":duration, :sampled) ON CONFLICT (month, tenant_id, probe_id, region_id, class, "
                "labels_digest) DO UPDATE SET executions = telemetry.executions + "
                "excluded.executions, duration_s = telemetry.duration_s + excluded.duration_s, "
                "sampled_executions = telemetry.sampled_executions + excluded.sampled_executions",
        soci::use(month), soci::use(key.tenant), soci::use(by.probe), soci::use(by.region),
        soci::use(key.check_class), soci::use(key.labels_digest), soci::use(entry.labels),
        soci::use(more.executions), soci::use(more.duration), soci::use(more.sampled);
}

/// Adds what is new in one entry. A process whose figures stand still is heard, too: forgetting it
/// would count all of them again.
void reckon(Transaction& db, const Source& by, const Entry& entry, Figures& before)
{
    const Figures now{std::max(before.executions, entry.figures.executions),
        std::max(before.duration, entry.figures.duration),
        std::max(before.sampled, entry.figures.sampled)};
    const Figures more{now.executions - before.executions, now.duration - before.duration,
        now.sampled - before.sampled};
    if (more.executions > 0 || more.duration > 0 || more.sampled > 0)
        add(db, by, entry, more);
    say(db, by, entry.key, now);
    before = now;
}

}  // namespace

Reckoned add_telemetry(Transaction& db, std::int64_t probe, const pb::RegionTelemetry& figures)
{
    Reckoned out;
    const Source by{probe, figures.instance(), figures.regionid()};
    const bool usable = is_name(by.instance, 64) && by.region >= 0 && by.region <= most_regions;
    Clients clients{db, probe};
    auto before = said_before(db, usable ? by : Source{});
    for (const auto& of_tenant : figures.telemetry())
        for (const auto& said : of_tenant.telemetry()) {
            const auto entry = entry_of(of_tenant.tenantid(), said);
            if (!usable || !entry || out.taken == most_entries ||
                !clients.include(of_tenant.tenantid())) {
                ++out.dropped;
                continue;
            }
            reckon(db, by, *entry, before[entry->key]);
            ++out.taken;
        }
    return out;
}

void forget_silent_agents(Transaction& db)
{
    const std::int64_t before = db.now_us() - std::chrono::microseconds{silent_for}.count();
    db.sql() << "DELETE FROM telemetry_said WHERE said_us < :before", soci::use(before);
}

}  // namespace sonde::control::store
