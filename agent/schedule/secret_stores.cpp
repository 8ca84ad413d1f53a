#include "agent/schedule/secret_stores.h"

#include <nlohmann/json.hpp>

namespace sonde::schedule {
namespace {

constexpr std::chrono::seconds kept_for{60};

Error unreadable(const std::string& name, std::string_view why)
{
    return {"secret", fmt::format("secret {}: the store of secrets {}", name, why),
        "local_secret_store"};
}

}  // namespace

class SecretStores::Source final : public checkers::SecretSource {
public:
    Source(SecretStores& stores, exporters::TenantKey key,
        std::shared_ptr<const exporters::Tenant> tenant)
        : stores_{stores}, key_{key}, tenant_{std::move(tenant)}
    {}

    asio::awaitable<Result<std::string>> secret(std::string name) override
    {
        return stores_.read(key_, tenant_, std::move(name));
    }

private:
    SecretStores& stores_;
    exporters::TenantKey key_;
    std::shared_ptr<const exporters::Tenant> tenant_;
};

std::unique_ptr<checkers::SecretSource> SecretStores::of(
    exporters::TenantKey key, std::shared_ptr<const exporters::Tenant> tenant)
{
    if (!tenant->secrets)
        return nullptr;
    return std::make_unique<Source>(*this, key, std::move(tenant));
}

asio::awaitable<Result<std::string>> SecretStores::read(
    exporters::TenantKey key, std::shared_ptr<const exporters::Tenant> tenant, std::string name)
{
    const auto now = Clock::now();
    std::erase_if(kept_, [now](const auto& entry) { return entry.second.until <= now; });
    const std::pair where{key, name};
    if (const auto known = kept_.find(where); known != kept_.end())
        co_return known->second.value;
    net::HttpCall call;
    call.method = "GET";
    call.url = fmt::format("{}/secrets/{}/decrypt", tenant->secrets->url, name);
    call.headers = {
        "Authorization: Bearer " + tenant->secrets->token.reveal(), "Accept: application/json"};
    const auto answer = co_await client_.send(std::move(call));
    if (answer.status == 404)
        co_return Error{"secret", fmt::format("secret {}: there is none", name), "not_found"};
    if (answer.status == 0)
        co_return unreadable(name, "did not answer: " + answer.error);
    if (answer.status != 200)
        co_return unreadable(name, fmt::format("answered with status {}", answer.status));
    const auto read = nlohmann::json::parse(answer.body, nullptr, false);
    const auto value = read.is_object() ? read.find("plaintext") : read.end();
    if (value == read.end() || !value->is_string())
        co_return unreadable(name, "sent no member \"plaintext\"");
    Kept& kept = kept_[where];
    kept.value = value->get<std::string>();
    kept.until = now + kept_for;
    co_return kept.value;
}

}  // namespace sonde::schedule
