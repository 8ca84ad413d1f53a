// Who may register what: agent/control/directory and its reader.
#include "agent/base/text.h"
#include "agent/control/directory.h"
#include "agent/control/secrets.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/scratch_file.h"

#include <set>

namespace {

using namespace sonde;

void check_directory(const control::Directory& directory)
{
    std::set<std::string> keys;
    for (const control::PublicProbe& probe : directory.public_probes()) {
        fuzz::require(!probe.key.empty() && keys.insert(probe.key).second, "keys are unique");
        fuzz::require(!probe.probe.name().empty(), "a public probe has a name");
        fuzz::require(probe.token_sha256.size() == 64, "a public probe has a token");
    }
    fuzz::require(directory.publisher("") == nullptr, "nobody publishes without a token");
    if (const auto* const publisher = directory.publisher("token")) {
        fuzz::require(publisher->organization != nullptr, "a publisher has an organization");
        publisher->covers(3);
    }
    if (const auto* const organization = directory.organization(1000)) {
        fuzz::require(organization->id == 1000, "an organization is found by its id");
        for (const control::Stack& stack : organization->stacks)
            fuzz::require(organization->stack(stack.id) != nullptr, "each stack is found");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const fuzz::ScratchFile scratch{"directory.yaml"};
    const auto text = fuzz::Input{data, size}.rest();
    // Such an input could name any file of this machine, and devices that never end.
    if (text.find("file") != std::string_view::npos && text.find('/') != std::string_view::npos)
        return 0;
    config::ControlConfig config;
    config.directory_file = scratch.write(text);
    config.allow_inline_secrets = true;
    const auto loaded = control::Directory::load(config);
    if (loaded)
        check_directory(**loaded);
    else
        fuzz::require(!loaded.error().message.empty(), "a refusal says why");
    return 0;
}
