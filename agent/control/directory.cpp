#include "agent/control/directory.h"

#include "agent/control/secrets.h"
#include "config/section.h"

#include <algorithm>
#include <filesystem>
#include <set>

namespace sonde::control {

using config::Reading;
using config::Section;

const Stack* Organization::stack(std::int64_t stack_id) const
{
    const auto found = std::find_if(
        stacks.begin(), stacks.end(), [&](const Stack& s) { return s.id == stack_id; });
    return found == stacks.end() ? nullptr : &*found;
}

const HostedInstance* Organization::instance(std::int64_t instance_id, std::string_view type) const
{
    const auto found = std::find_if(instances.begin(), instances.end(),
        [&](const HostedInstance& i) { return i.id == instance_id && i.type == type; });
    return found == instances.end() ? nullptr : &*found;
}

bool Directory::Publisher::covers(std::int64_t stack) const
{
    return all || std::find(stacks.begin(), stacks.end(), stack) != stacks.end();
}

/// Reads the directory and collects what is wrong with it.
class DirectoryReader {
public:
    explicit DirectoryReader(Reading& reading) : reading_{reading} {}

    std::shared_ptr<const Directory> read(const YAML::Node& root)
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

private:
    template <class Read>
    void each(Section& section, std::string_view key, Read read_one)
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

    void read_limits(Section section, TenantLimits& into)
    {
        static constexpr config::Word<bool> profiles[] = {{"contract", false}, {"extended", true}};
        section.read_word("profile", into.extended, std::span<const config::Word<bool>>{profiles});
        std::int64_t metric = 22;
        std::int64_t log = 15;
        std::int64_t checks = into.limits.maxchecks();
        std::int64_t scripted = into.limits.maxscriptedchecks();
        std::int64_t browser = into.limits.maxbrowserchecks();
        section.read("max_metric_labels", metric);
        section.read("max_log_labels", log);
        section.read("max_checks", checks);
        section.read("max_scripted_checks", scripted);
        section.read("max_browser_checks", browser);
        if (metric < 12)
            section.problem("max_metric_labels", "must be at least 12");
        if (log < 10)
            section.problem("max_log_labels", "must be at least 10");
        into.limits.set_maxmetriclabels(metric);
        into.limits.set_maxloglabels(log);
        into.limits.set_maxchecks(checks);
        into.limits.set_maxscriptedchecks(scripted);
        into.limits.set_maxbrowserchecks(browser);
    }

    void read_defaults(Section section)
    {
        if (section.has("limits")) {
            read_limits(section.child("limits"), default_limits_.emplace());
        } else {
            section.node("limits");
        }
        Section capabilities = section.child("probe_capabilities");
        bool scripted = false;
        bool browser = false;
        capabilities.read("disable_scripted_checks", scripted);
        capabilities.read("disable_browser_checks", browser);
        default_capabilities_.set_disablescriptedchecks(scripted);
        default_capabilities_.set_disablebrowserchecks(browser);
    }

    void read_organization(Section& section)
    {
        auto organization = std::make_unique<Organization>();
        Organization& org = *organization;
        section.read("id", org.id);
        section.read("slug", org.slug);
        section.read("name", org.name);
        if (org.id < 1)
            section.problem("id", "is required, an integer from 1");
        else if (!organization_ids_.insert(org.id).second)
            section.problem("id", "is there twice");
        each(section, "hosted_instances", [&](Section& entry) { read_instance(entry, org); });
        each(section, "stacks", [&](Section& entry) { read_stack(entry, org); });
        each(section, "admin_tokens", [&](Section& entry) { read_token(entry); });
        each(section, "publisher_tokens", [&](Section& entry) { read_publisher(entry, org); });
        directory_->organizations_.push_back(std::move(organization));
    }

    void read_instance(Section& section, Organization& org)
    {
        HostedInstance& instance = org.instances.emplace_back();
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
        if (instance.id < 1)
            section.problem("id", "is required, an integer from 1");
        if (!metrics && instance.type != "logs")
            section.problem(
                "type", fmt::format("\"{}\" is not one of prometheus, logs", instance.type));
        if (instance.url.empty())
            section.problem("url", "is required");
        if (!instance_ids_.emplace(instance.type, instance.id).second)
            section.problem("id", "is there twice for this type");
        for (const char* key : {"viewer_token", "gateway"})
            if (section.has(key))
                section.problem(key, "not supported yet");
    }

    void read_stack(Section& section, Organization& org)
    {
        Stack& stack = org.stacks.emplace_back();
        section.read("id", stack.id);
        section.read("slug", stack.slug);
        section.read("name", stack.name);
        if (stack.id < 1)
            section.problem("id", "is required, an integer from 1");
        else if (!stack_ids_.insert(stack.id).second)
            section.problem("id", "is there twice");
        const auto read_instance_id = [&](std::string_view key, std::string_view type,
                                          std::optional<std::int64_t>& into) {
            std::int64_t id = 0;
            section.read(key, id);
            if (id == 0)
                return;
            into = id;
            if (!org.instance(id, type))
                section.problem(
                    key, fmt::format("the organization has no instance {} of type {}", id, type));
        };
        read_instance_id("metrics_instance_id", "prometheus", stack.metrics_instance_id);
        read_instance_id("logs_instance_id", "logs", stack.logs_instance_id);
        stack.limits = default_limits_;
        if (section.has("limits")) {
            if (!stack.limits)
                stack.limits.emplace();
            read_limits(section.child("limits"), *stack.limits);
        } else {
            section.node("limits");
        }
        section.read("cost_attribution_labels", stack.cost_attribution_labels);
        for (const char* key : {"publisher_token", "secret_store"})
            if (section.has(key))
                section.problem(key, "not supported yet");
    }

    /// The SHA-256 of a token given as digest, file or variable; empty after a problem.
    std::string read_token(Section& section)
    {
        std::string name;
        std::string digest;
        std::string variable;
        section.read("name", name);
        section.read("sha256", digest);
        section.read("value_env", variable);
        config::Secret value;
        section.read_secret("value", value);
        if (!variable.empty()) {
            const auto found = reading_.environment.find(variable);
            if (found == reading_.environment.end() || found->second.empty())
                section.problem(
                    "value_env", fmt::format("the environment variable {} is not set", variable));
            else
                value = config::Secret{found->second};
        }
        if (!value.empty())
            digest = sha256_hex(value.reveal());
        if (digest.size() != 64 ||
            digest.find_first_not_of("0123456789abcdef") != std::string::npos) {
            section.problem("sha256",
                "is required: 64 lower-case hex digits, or value_file or value_env in its place");
            return {};
        }
        if (!digests_.insert(digest).second)
            section.problem("sha256", "is there twice: two tokens are equal");
        return digest;
    }

    void read_publisher(Section& section, const Organization& org)
    {
        Directory::Publisher publisher{&org, {}, false};
        const auto stacks = section.node("stacks");
        if (stacks && stacks.IsScalar() && stacks.Scalar() == "*")
            publisher.all = true;
        else if (stacks && stacks.IsSequence())
            for (const auto& entry : stacks) {
                const auto id = entry.as<std::int64_t>(0);
                if (!org.stack(id))
                    reading_.problem(
                        entry, section.path_of("stacks"), "the organization has no such stack");
                publisher.stacks.push_back(id);
            }
        else
            section.problem("stacks", "is required: a list of stack ids, or \"*\"");
        const std::string digest = read_token(section);
        if (!digest.empty())
            directory_->publishers_.emplace(digest, std::move(publisher));
    }

    void read_public_probe(Section& section)
    {
        PublicProbe& entry = directory_->public_probes_.emplace_back();
        std::string name;
        std::string region;
        double latitude = 0;
        double longitude = 0;
        bool deprecated = false;
        section.read("key", entry.key);
        section.read("name", name);
        section.read("region", region);
        section.read("latitude", latitude);
        section.read("longitude", longitude);
        section.read("deprecated", deprecated);
        if (entry.key.empty() || entry.key.starts_with('@') ||
            !probe_keys_.insert(entry.key).second)
            section.problem("key", "is required, unique, and does not start with @");
        if (name.empty())
            section.problem("name", "is required");
        entry.probe.set_name(name);
        entry.probe.set_region(region);
        entry.probe.set_latitude(static_cast<float>(latitude));
        entry.probe.set_longitude(static_cast<float>(longitude));
        entry.probe.set_deprecated(deprecated);
        entry.probe.set_public_(true);
        auto* capabilities = entry.probe.mutable_capabilities();
        *capabilities = default_capabilities_;
        Section own = section.child("capabilities");
        bool scripted = capabilities->disablescriptedchecks();
        bool browser = capabilities->disablebrowserchecks();
        own.read("disable_scripted_checks", scripted);
        own.read("disable_browser_checks", browser);
        capabilities->set_disablescriptedchecks(scripted);
        capabilities->set_disablebrowserchecks(browser);
        each(section, "labels", [&](Section& label) {
            std::string label_name;
            std::string value;
            label.read("name", label_name);
            label.read("value", value);
            auto* added = entry.probe.add_labels();
            added->set_name(label_name);
            added->set_value(value);
        });
        Section token = section.child("token");
        entry.token_sha256 = read_token(token);
    }

    Reading& reading_;
    std::shared_ptr<Directory> directory_ = std::make_shared<Directory>();
    std::optional<TenantLimits> default_limits_;
    pb::Probe::Capabilities default_capabilities_;
    std::set<std::int64_t> organization_ids_;
    std::set<std::int64_t> stack_ids_;
    std::set<std::pair<std::string, std::int64_t>> instance_ids_;
    std::set<std::string> digests_;
    std::set<std::string> probe_keys_;
};

Result<std::shared_ptr<const Directory>> Directory::load(const config::ControlConfig& config)
{
    Reading reading{"control.directory", config.directory_base, config::process_environment(), {},
        config.allow_inline_secrets};
    std::optional<YAML::Node> root;
    if (config.directory_file.empty()) {
        root = YAML::Load(config.directory);
    } else {
        reading.file = config.directory_file;
        reading.directory = std::filesystem::path{config.directory_file}.parent_path().string();
        root = reading.load();
    }
    std::shared_ptr<const Directory> directory;
    if (root)
        directory = DirectoryReader{reading}.read(*root);
    if (reading.problems.empty())
        return directory;
    return error("directory", "{}", fmt::join(reading.problems, "\n"));
}

const Directory::Publisher* Directory::publisher(std::string_view token) const
{
    const auto found = publishers_.find(sha256_hex(token));
    return found == publishers_.end() ? nullptr : &found->second;
}

const Organization* Directory::organization(std::int64_t id) const
{
    const auto found = std::find_if(
        organizations_.begin(), organizations_.end(), [&](const auto& o) { return o->id == id; });
    return found == organizations_.end() ? nullptr : found->get();
}

}  // namespace sonde::control
