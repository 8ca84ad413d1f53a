#include "config/unsupported.h"

#include <array>

namespace sonde::config {
namespace {

constexpr auto keys = std::to_array<Unsupported>({
    {"status.path_prefix"},
    {"status.page", "false"},
    {"status.public_page", "false"},
    {"status.history"},
    {"control.http.public_url"},
    {"control.http.trusted_proxies"},
    {"control.tokens.unused_ttl", "off"},
    {"control.tokens.pepper_file"},
    {"control.auth.issuer"},
    {"control.auth.token_ttl"},
    {"control.auth.user_ttl", "off"},
    {"control.auth.token_limit"},
    {"control.auth.exp_leeway"},
    {"control.auth.revoke_on_password_change"},
    {"control.auth.keyring"},
    {"control.um.enforce_shares", "false"},
    {"control.sm.user_write", "false"},
    {"control.store.kind"},
    {"control.store.url"},
    {"control.store.write_url"},
    {"control.store.contract"},
    {"control.telemetry.allow_post", "false"},
    {"control.telemetry.series_match_optional", "false"},
    {"control.telemetry.buildinfo"},
    {"control.telemetry.require_privilege"},
    {"control.telemetry.cors_origins"},
    {"control.telemetry.query_timeout"},
    {"control.alarms.interval"},
    {"control.alarms.history"},
    {"control.alarms.default_actions"},
    {"control.smtp.url"},
    {"control.smtp.from"},
    {"control.smtp.helo"},
    {"control.smtp.user"},
    {"control.smtp.password"},
    {"control.smtp.password_file"},
    {"control.webhook.allow_private", "false"},
    {"control.webhook.allow_http", "false"},
});

}  // namespace

std::span<const Unsupported> unsupported_keys()
{
    return keys;
}

}  // namespace sonde::config
