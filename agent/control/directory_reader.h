#pragma once

#include "agent/control/directory.h"
#include "config/section.h"

#include <functional>
#include <set>
#include <utility>

namespace sonde::control {

/// Reads a directory and collects what is wrong with it (spec 04 §7.2).
class DirectoryReader {
public:
    /// Both outlive it.
    DirectoryReader(config::Reading& reading, const config::ControlConfig& config)
        : reading_{reading}, config_{config}
    {}

    /// @return what could be read; of use only if there is no problem in `reading`.
    std::shared_ptr<Directory> read(const YAML::Node& root);

private:
    using Section = config::Section;
    using ReadOne = std::function<void(Section&)>;

    void each(Section& section, std::string_view key, const ReadOne& read_one);
    void read_defaults(Section section);
    void read_organization(Section& section);
    void read_instance(Section& section, Organization& organization);
    void read_stack(Section& section, Organization& organization);
    void read_instance_id(Section& section, std::string_view key, std::string_view type,
        const Organization& organization, std::optional<std::int64_t>& into);
    void read_admin(Section& section, const Organization& organization);
    void read_publisher(Section& section, const Organization& organization);
    void read_covered(Section& section, const Organization& organization, Directory::Publisher& by);
    void read_public_probe(Section& section);
    config::Secret read_value(Section& section);
    config::Secret read_required(Section section);
    std::string read_digest(Section& section);
    pb::SecretStore read_secret_store(Section section);

    config::Reading& reading_;
    const config::ControlConfig& config_;
    std::shared_ptr<Directory> directory_ = std::make_shared<Directory>();
    pb::Probe::Capabilities default_capabilities_;
    std::set<std::int64_t> organization_ids_;
    std::set<std::int64_t> stack_ids_;
    std::set<std::pair<std::string, std::int64_t>> instance_ids_;
    std::set<std::string> digests_;
    std::set<std::string> probe_keys_;
};

}  // namespace sonde::control
