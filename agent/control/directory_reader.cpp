#include "agent/control/directory_reader.h"

#include "agent/control/rules/probe_rules.h"
#include "agent/control/secrets.h"

#include <limits>

namespace sonde::control {
namespace {

using config::Section;

// What agents need for labels of their own (spec 04 §7.2).
constexpr std::int64_t least_metric_labels = 12;
constexpr std::int64_t least_log_labels = 10;
constexpr std::int64_t default_metric_labels = 22;
constexpr std::int64_t default_log_labels = 15;

/// An id of the file: above 0, and not there before.
template <class Ids, class Id>
void take_id(Section& section, std::int64_t id, Ids& known, Id&& key, std::string_view twice)
{
    if (id < 1)
        section.problem("id", "is required, an integer from 1");
    else if (!known.insert(std::forward<Id>(key)).second)
        section.problem("id", twice);
}

void read_profile(Section& section, std::optional<bool>& extended)
{
    static constexpr config::Word<bool> profiles[] = {{"contract", false}, {"extended", true}};
    if (!section.has("profile"))
        return;
    bool read = false;
    section.read_word("profile", read, std::span<const config::Word<bool>>{profiles});
    extended = read;
}

/// What a mapping gives replaces what there is; the rest stays.
void read_limits(Section section, std::optional<TenantLimits>& limits)
{
    TenantLimits& into = limits ? *limits : limits.emplace();
    std::int64_t metric = into.limits.maxmetriclabels();
    std::int64_t log = into.limits.maxloglabels();
    std::int64_t checks = into.limits.maxchecks();
    std::int64_t scripted = into.limits.maxscriptedchecks();
    std::int64_t browser = into.limits.maxbrowserchecks();
    metric = metric == 0 ? default_metric_labels : metric;
    log = log == 0 ? default_log_labels : log;
    read_profile(section, into.extended);
    section.read("max_metric_labels", metric);
    section.read("max_log_labels", log);
    section.read("max_checks", checks);
    section.read("max_scripted_checks", scripted);
    section.read("max_browser_checks", browser);
    if (metric < least_metric_labels)
        section.problem(
            "max_metric_labels", fmt::format("must be at least {}", least_metric_labels));
    if (log < least_log_labels)
        section.problem("max_log_labels", fmt::format("must be at least {}", least_log_labels));
    into.limits.set_maxmetriclabels(metric);
    into.limits.set_maxloglabels(log);
    into.limits.set_maxchecks(checks);
    into.limits.set_maxscriptedchecks(scripted);
    into.limits.set_maxbrowserchecks(browser);
}

void read_capabilities(Section section, pb::Probe::Capabilities& into)
{
    bool scripted = into.disablescriptedchecks();
    bool browser = into.disablebrowserchecks();
    section.read("disable_scripted_checks", scripted);
    section.read("disable_browser_checks", browser);
    into.set_disablescriptedchecks(scripted);
    into.set_disablebrowserchecks(browser);
}

void read_label(Section& section, pb::Label& into)
{
    section.read("name", *into.mutable_name());
    section.read("value", *into.mutable_value());
}

void read_place(Section& section, pb::Probe& probe)
{
    double latitude = 0;
    double longitude = 0;
    section.read("latitude", latitude);
    section.read("longitude", longitude);
    probe.set_latitude(static_cast<float>(latitude));
    probe.set_longitude(static_cast<float>(longitude));
}

/// Whether a mapping has a secret, in any of the forms of a secret.
bool has_value(const Section& section)
{
    return section.has("value") || section.has("value_file") || section.has("value_env");
}

}  // namespace

std::shared_ptr<Directory> DirectoryReader::read(const YAML::Node& root)
{
    Section top{reading_, root, ""};
    std::int64_t version = 0;
    top.read("version", version);
    if (version != 1)
        top.problem("version", "must be 1");
    read_defaults(top.child("defaults"));
    each(top, "organizations", [this](Section& section) { read_organization(section); });
    each(top, "public_probes", [this](Section& section) { read_public_probe(section); });
    return directory_;
}

void DirectoryReader::each(Section& section, std::string_view key, const ReadOne& read_one)
{
    const auto list = section.node(key);
    if (!list || list.IsNull())
        return;
    if (!list.IsSequence())
        return section.problem(key, "must be a list");
    for (std::size_t i = 0; i < list.size(); ++i) {
        Section entry{reading_, list[i], fmt::format("{}[{}]", section.path_of(key), i)};
        read_one(entry);
    }
}

void DirectoryReader::read_defaults(Section section)
{
    if (section.has("limits"))
        read_limits(section.child("limits"), directory_->default_limits_);
    else
        section.node("limits");
    default_capabilities_.set_disablescriptedchecks(config_.disable_scripted_checks);
    default_capabilities_.set_disablebrowserchecks(config_.disable_browser_checks);
    read_capabilities(section.child("probe_capabilities"), default_capabilities_);
    directory_->default_capabilities_ = default_capabilities_;
}

void DirectoryReader::read_organization(Section& section)
{
    auto organization = std::make_unique<Organization>();
    Organization& org = *organization;
    section.read("id", org.id);
    section.read("slug", org.slug);
    section.read("name", org.name);
    take_id(section, org.id, organization_ids_, org.id, "is there twice");
    each(section, "hosted_instances", [&](Section& entry) { read_instance(entry, org); });
    each(section, "stacks", [&](Section& entry) { read_stack(entry, org); });
    each(section, "admin_tokens", [&](Section& entry) { read_admin(entry, org); });
    each(section, "publisher_tokens", [&](Section& entry) { read_publisher(entry, org); });
    directory_->organizations_.push_back(std::move(organization));
}

void DirectoryReader::read_instance(Section& section, Organization& organization)
{
    HostedInstance& instance = organization.instances.emplace_back();
    section.read("id", instance.id);
    section.read("type", instance.type);
    section.read("name", instance.name);
    section.read("url", instance.url);
    section.read("cluster_slug", instance.cluster_slug);
    section.read("cluster_name", instance.cluster_name);
    section.read("description", instance.description);
    section.read("status", instance.status);
    section.read("current_active_series", instance.current_active_series);
    section.read("current_dpm", instance.current_dpm);
    section.read("current_usage", instance.current_usage);
    const bool metrics = instance.type == "prometheus";
    instance.remote_url = instance.url + (metrics ? "/api/prom" : "/loki/api/v1");
    instance.remote_username = std::to_string(instance.id);
    section.read("remote_url", instance.remote_url);
    section.read("remote_username", instance.remote_username);
    if (!metrics && instance.type != "logs")
        section.problem(
            "type", fmt::format("\"{}\" is not one of prometheus, logs", instance.type));
    if (instance.url.empty())
        section.problem("url", "is required");
    take_id(section, instance.id, instance_ids_, std::pair{instance.type, instance.id},
        "is there twice for this type");
    if (section.has("viewer_token"))
        instance.viewer_token = read_required(section.child("viewer_token"));
    if (section.has("gateway"))
        section.problem("gateway", "not supported yet");
}

void DirectoryReader::read_instance_id(Section& section, std::string_view key,
    std::string_view type, const Organization& organization, std::optional<std::int64_t>& into)
{
    std::int64_t id = 0;
    section.read(key, id);
    if (id == 0)
        return;
    into = id;
    if (!organization.instance(id, type))
        section.problem(
            key, fmt::format("the organization has no instance {} of type {}", id, type));
}

void DirectoryReader::read_stack(Section& section, Organization& organization)
{
    Stack& stack = organization.stacks.emplace_back();
    section.read("id", stack.id);
    section.read("slug", stack.slug);
    section.read("name", stack.name);
    take_id(section, stack.id, stack_ids_, stack.id, "is there twice");
    read_instance_id(
        section, "metrics_instance_id", "prometheus", organization, stack.metrics_instance_id);
    read_instance_id(section, "logs_instance_id", "logs", organization, stack.logs_instance_id);
    stack.limits = directory_->default_limits_;
    if (section.has("limits"))
        read_limits(section.child("limits"), stack.limits);
    else
        section.node("limits");
    section.read("cost_attribution_labels", stack.cost_attribution_labels);
    if (section.has("publisher_token"))
        stack.publisher_token = read_required(section.child("publisher_token"));
    if (section.has("secret_store"))
        stack.secret_store = read_secret_store(section.child("secret_store"));
}

pb::SecretStore DirectoryReader::read_secret_store(Section section)
{
    pb::SecretStore store;
    double expiry = 0;
    std::string url;
    section.read_url("url", url);
    section.read("expiry", expiry);
    if (url.empty())
        section.problem("url", "is required");
    store.set_url(url);
    store.set_token(read_required(section.child("token")).reveal());
    store.set_expiry(expiry);
    return store;
}

/// A secret given as `value_file`, `value_env`, or `value` where that is allowed.
config::Secret DirectoryReader::read_value(Section& section)
{
    std::string variable;
    config::Secret value;
    section.read("value_env", variable);
    section.read_secret("value", value);
    if (variable.empty())
        return value;
    const auto found = reading_.environment.find(variable);
    if (found != reading_.environment.end() && !found->second.empty())
        return config::Secret{found->second};
    section.problem("value_env", fmt::format("the environment variable {} is not set", variable));
    return {};
}

config::Secret DirectoryReader::read_required(Section section)
{
    if (!has_value(section))
        section.problem("value_file", "is required, or value_env in its place");
    return read_value(section);
}

/// The SHA-256 of a token given as digest, file or variable; empty after a problem.
std::string DirectoryReader::read_digest(Section& section)
{
    std::string name;
    std::string digest;
    section.read("name", name);
    section.read("sha256", digest);
    const bool has_secret = has_value(section);
    const config::Secret value = read_value(section);
    if (has_secret && value.empty())
        return {};  // and that has been said
    if (has_secret)
        digest = sha256_hex(value.reveal());
    if (digest.size() != 64 || digest.find_first_not_of("0123456789abcdef") != std::string::npos) {
        section.problem("sha256",
            "is required: 64 lower-case hex digits, or value_file or value_env in its place");
        return {};
    }
    if (!digests_.insert(digest).second)
        section.problem("sha256", "is there twice: two tokens are equal");
    return digest;
}

void DirectoryReader::read_admin(Section& section, const Organization& organization)
{
    if (const std::string digest = read_digest(section); !digest.empty())
        directory_->admins_.emplace(digest, &organization);
}

void DirectoryReader::read_publisher(Section& section, const Organization& organization)
{
    Directory::Publisher publisher{&organization, {}, false};
    read_covered(section, organization, publisher);
    if (const std::string digest = read_digest(section); !digest.empty())
        directory_->publishers_.emplace(digest, std::move(publisher));
}

void DirectoryReader::read_covered(
    Section& section, const Organization& organization, Directory::Publisher& by)
{
    const auto stacks = section.node("stacks");
    if (stacks && stacks.IsScalar() && stacks.Scalar() == "*") {
        by.all = true;
        return;
    }
    if (!stacks || !stacks.IsSequence())
        return section.problem("stacks", "is required: a list of stack ids, or \"*\"");
    for (const auto& entry : stacks) {
        const auto id = entry.as<std::int64_t>(0);
        if (!organization.stack(id))
            reading_.problem(
                entry, section.path_of("stacks"), "the organization has no such stack");
        by.stacks.push_back(id);
    }
}

void DirectoryReader::read_public_probe(Section& section)
{
    PublicProbe& entry = directory_->public_probes_.emplace_back();
    pb::Probe& probe = entry.probe;
    bool deprecated = false;
    section.read("key", entry.key);
    section.read("name", *probe.mutable_name());
    section.read("region", *probe.mutable_region());
    section.read("deprecated", deprecated);
    read_place(section, probe);
    probe.set_deprecated(deprecated);
    probe.set_public_(true);
    *probe.mutable_capabilities() = default_capabilities_;
    read_capabilities(section.child("capabilities"), *probe.mutable_capabilities());
    each(section, "labels", [&](Section& label) { read_label(label, *probe.add_labels()); });
    Section token = section.child("token");
    entry.token_sha256 = read_digest(token);
    if (entry.key.empty() || entry.key.starts_with('@') || !probe_keys_.insert(entry.key).second)
        section.problem("key", "is required, unique, and does not start with @");
    constexpr auto any_number = std::numeric_limits<std::size_t>::max();
    const rules::Judgement judgement{config_, config_.extended_limits};
    const auto fits = rules::fit(probe, judgement, any_number);
    if (fits)
        return;
    const std::string& why = fits.error().message;  // "labels[0].name: reserved"
    const auto colon = why.find(": ");
    section.problem(why.substr(0, colon), why.substr(colon + 2));
}

}  // namespace sonde::control
