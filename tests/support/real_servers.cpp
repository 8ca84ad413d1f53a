#include "tests/support/real_servers.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

namespace sonde::tests {
namespace {

bool accepts(std::uint16_t port)
{
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const bool connected =
        ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(socket);
    return connected;
}

}  // namespace

void await_listener(std::uint16_t port)
{
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (!accepts(port)) {
        REQUIRE_MESSAGE(std::chrono::steady_clock::now() < limit, "nobody listens on " << port);
        ::poll(nullptr, 0, 20);
    }
}

Nginx::Nginx(const ScratchFolder& folder, const std::string& servers, std::uint16_t awaited)
{
    const std::string root = folder.path(".");
    const std::string file = folder.write("nginx.conf",
        fmt::format("daemon off; pid {0}/nginx.pid; error_log {0}/nginx.log;\n"
                    "events {{}}\nhttp {{ access_log off; client_body_temp_path {0}/a;\n"
                    "proxy_temp_path {0}/b; fastcgi_temp_path {0}/c; uwsgi_temp_path {0}/d;\n"
                    "scgi_temp_path {0}/e;\n{1}\n}}\n",
            root, servers));
    process_.emplace(std::vector<std::string>{"nginx", "-c", file, "-p", root, "-g",
                         ::getuid() == 0 ? "user root;" : ""},
        folder.path("nginx.out"));
    await_listener(awaited);
}

Knot::Knot(const ScratchFolder& folder, const std::string& zone, const std::string& records)
{
    const std::string root = folder.path("knot");
    std::filesystem::create_directory(root);
    folder.write("zone", records);
    const std::string file = folder.write(
        "knot.conf", fmt::format("server:\n    rundir: \"{0}\"\n    listen: 127.0.0.1@{1}\n"
                                 "database:\n    storage: \"{0}\"\n"
                                 "zone:\n  - domain: {2}\n    storage: \"{3}\"\n    file: zone\n",
                         root, port_, zone, folder.path(".")));
    process_.emplace(std::vector<std::string>{"knotd", "-c", file}, folder.path("knot.out"));
    await_listener(port_);
}

}  // namespace sonde::tests
