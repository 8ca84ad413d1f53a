// /etc/hosts and /etc/resolv.conf: agent/net/hosts_file.
#include "agent/net/hosts_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/scratch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace sonde;
    static const fuzz::ScratchFile scratch{"hosts"};
    const auto text = fuzz::Input{data, size}.rest();
    const std::string path = scratch.write(text);

    net::HostsFile hosts{path};
    hosts.find("localhost");
    fuzz::require(hosts.find("two words").empty(), "a name is one word");

    const auto conf = net::read_resolv_conf(path);
    fuzz::require(conf.timeout_seconds >= 1 && conf.timeout_seconds <= 30, "timeout is bounded");
    fuzz::require(conf.attempts >= 1 && conf.attempts <= 5, "attempts are bounded");
    return 0;
}
