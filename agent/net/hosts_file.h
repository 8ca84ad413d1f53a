#pragma once

#include <boost/asio/ip/address.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::net {

/// The hosts file of this machine, read again when it has changed.
class HostsFile {
public:
    explicit HostsFile(std::string path) : path_{std::move(path)} {}

    /// The addresses of `name`, in the order of the file; empty when it is not listed.
    const std::vector<boost::asio::ip::address>& find(std::string_view name);

private:
    void refresh();

    std::string path_;
    std::filesystem::file_time_type read_at_{};
    std::map<std::string, std::vector<boost::asio::ip::address>, std::less<>> names_;  // lower case
};

/// What /etc/resolv.conf says that c-ares 1.18 does not read by itself.
struct ResolvConf {
    int timeout_seconds = 5;
    int attempts = 2;
    bool has_server = false;
};
ResolvConf read_resolv_conf(const std::string& path);

}  // namespace sonde::net
