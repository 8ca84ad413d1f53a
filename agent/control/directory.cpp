#include "agent/control/directory.h"

#include "agent/control/directory_reader.h"
#include "agent/control/secrets.h"

#include <algorithm>
#include <filesystem>

namespace sonde::control {

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

std::vector<const Stack*> Organization::owners(std::int64_t metrics, std::int64_t logs) const
{
    std::vector<const Stack*> found;
    for (const Stack& each : stacks)
        if (each.metrics_instance_id == metrics && each.logs_instance_id == logs)
            found.push_back(&each);
    return found;
}

bool Directory::Publisher::covers(std::int64_t stack) const
{
    return all || std::find(stacks.begin(), stacks.end(), stack) != stacks.end();
}

Result<std::shared_ptr<const Directory>> Directory::load(const config::ControlConfig& config)
{
    config::Reading reading{"control.directory", config.directory_base,
        config::process_environment(), {}, config.allow_inline_secrets};
    std::optional<YAML::Node> root;
    std::string text = config.directory;
    if (config.directory_file.empty()) {
        root = YAML::Load(text);
    } else {
        reading.file = config.directory_file;
        reading.directory = std::filesystem::path{config.directory_file}.parent_path().string();
        root = reading.load(&text);
    }
    std::shared_ptr<Directory> directory;
    if (root)
        directory = DirectoryReader{reading, config}.read(*root);
    if (!reading.problems.empty())
        return error("directory", "{}", fmt::join(reading.problems, "\n"));
    directory->digest_ = sha256_hex(text);
    return std::shared_ptr<const Directory>{std::move(directory)};
}

const Directory::Publisher* Directory::publisher(std::string_view token) const
{
    const auto found = publishers_.find(sha256_hex(token));
    return found == publishers_.end() ? nullptr : &found->second;
}

const Organization* Directory::admin(std::string_view token) const
{
    const auto found = admins_.find(sha256_hex(token));
    return found == admins_.end() ? nullptr : found->second;
}

const Organization* Directory::organization(std::int64_t id) const
{
    const auto found = std::find_if(
        organizations_.begin(), organizations_.end(), [&](const auto& o) { return o->id == id; });
    return found == organizations_.end() ? nullptr : found->get();
}

const Stack* Directory::stack(std::int64_t organization_id, std::int64_t id) const
{
    const Organization* of = organization(organization_id);
    return of ? of->stack(id) : nullptr;
}

}  // namespace sonde::control
