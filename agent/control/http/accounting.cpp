#include "agent/control/http/accounting.h"

#include <array>

namespace sonde::control {

std::span<const AccountingClass> accounting_classes()
{
    static constexpr auto classes = std::to_array<AccountingClass>({
        {"dns", "dns", 0, 85},
        {"dns_basic", "dns", 0, 29},
        {"http", "http", 1, 118},
        {"http_basic", "http", 1, 34},
        {"http_ssl", "http", 1, 123},
        {"http_ssl_basic", "http", 1, 39},
        {"ping", "ping", 2, 87},
        {"ping_basic", "ping", 2, 31},
        {"tcp", "tcp", 3, 38},
        {"tcp_basic", "tcp", 3, 24},
        {"tcp_ssl", "tcp", 3, 42},
        {"tcp_ssl_basic", "tcp", 3, 28},
    });
    return classes;
}

}  // namespace sonde::control
