#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/cli/cli.h"
#include "agent/daemon.h"
#include "agent/reload.h"
#include "config/locate.h"

#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <system_error>
#include <variant>

namespace {

using namespace sonde;

constexpr log::Logger logger{"main"};

/// Whether the options need a folder of their own on disk.
bool needs_state(const config::AgentConfig& config)
{
    return config.control || config.journal.enabled ||
           (config.api && !config.api->state_file.empty());
}

/// Makes the folder for what outlives the process. Where none was asked for and none can be made,
/// the process runs on without.
bool make_state(config::AgentConfig& config, cli::RunCommand& command)
{
    std::error_code failed;
    if (std::filesystem::create_directories(config.state_dir, failed))
        ::chmod(config.state_dir.c_str(), 0700);
    if (!failed)
        return true;
    if (!command.state_optional || config.control) {
        std::fprintf(stderr, "sonde: %s\n",
            config::located(command.config_file, command.options,
                fmt::format("state_dir: {}: {}", config.state_dir, failed.message()))
                .c_str());
        return false;
    }
    logger.warning(
        "there is no folder for the state: what is not delivered is lost with the process",
        {{"state_dir", config.state_dir}, {"why", failed.message()}});
    command.without_state = true;
    give_up_state(config);
    return true;
}

int run_daemon(cli::RunCommand command)
{
    auto config = cli::load(command.config_file, command.options);
    if (!config)
        return cli::usage;
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is a full disk, not the end
    configure_log(config->log);
    for (const std::string& warning : command.warnings)
        logger.warning(warning);
    if (needs_state(*config) && !make_state(*config, command))
        return EXIT_FAILURE;
    return Daemon{std::move(*config), std::move(command)}.run();
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        memory::share_arenas();
        const auto asked = cli::parse(argc, argv);
        if (const auto* run = std::get_if<cli::RunCommand>(&asked))
            return run_daemon(*run);
        return std::get<int>(asked);
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "sonde: %s\n", failure.what());
        return EXIT_FAILURE;
    }
}
