// Two control planes with one PostgreSQL database.
#include "tests/unit/agent/control/installation.h"

using namespace sonde;
using namespace sonde::tests;

namespace {

/// One replica that users write to, and another with the probe's stream.
struct Replicas : Installation {
    Replica other{database};

    Replicas() : Installation{DatabaseKind::postgresql} {}

    int status_of(const std::string& method, const std::string& url, const json& body = json{})
    {
        int status = 0;
        answer = http(method, url, &status,
            {"Authorization: Bearer " + access, "Content-Type: application/json"},
            body.is_null() ? "" : body.dump());
        return status;
    }

    /// The other replica has the first message.
    std::unique_ptr<grpc::ClientReader<pb::Changes>> follow_other(Context& context)
    {
        auto stream = other.checks->GetChanges(&context, {});
        pb::Changes changes;
        REQUIRE(stream->Read(&changes));
        return stream;
    }

    std::string answer;
};

}  // namespace

TEST_SUITE("agent/control/replicas")
{
    TEST_CASE_FIXTURE(Replicas, "what is written to one reaches a stream at the other")
    {
        registered_at(other);
        Context context{probe_token};
        const auto stream = follow_other(context);
        const json added = post("check/add", check("first"));
        CHECK(next_check(*stream).check().job() == "first");
        // Read your writes, at any replica.
        CHECK(status_of("GET", other.url("check/" + added["id"].dump())) == 200);
        post("probe/update?reset-token=true",
            {{"id", probe}, {"tenantId", 2}, {"name", "mine"}, {"region", "EMEA"}});
        pb::Changes changes;
        CHECK_FALSE(stream->Read(&changes));
        CHECK(stream->Finish().error_code() == grpc::StatusCode::UNAVAILABLE);
        registered_at(other, grpc::StatusCode::PERMISSION_DENIED);
    }

    TEST_CASE_FIXTURE(Replicas, "a token that was deleted at one is refused at the other")
    {
        remove("token/delete");
        CHECK(status_of("GET", other.url("check/list")) == 401);
    }

    TEST_CASE_FIXTURE(Replicas, "a probe registers at one and is followed at the other, once")
    {
        registered();
        Context context{probe_token};
        const auto stream = follow_other(context);
        CHECK(registered().status().code() == pb::ALREADY_EXISTS);
        CHECK(registered_at(other).status().code() == pb::ALREADY_EXISTS);
        // The session has its stream: a second one is sent away and does not end it.
        Context second{probe_token};
        const auto late = checks->GetChanges(&second, {});
        pb::Changes changes;
        CHECK_FALSE(late->Read(&changes));
        CHECK(late->Finish().error_code() == grpc::StatusCode::UNAVAILABLE);
        post("check/add", check("first"));
        CHECK(next_check(*stream).check().job() == "first");
    }

    TEST_CASE_FIXTURE(Replicas, "a replica that stops gives up its leases at once")
    {
        registered_at(other);
        Context context{probe_token};
        const auto stream = follow_other(context);
        other.stop();
        pb::Changes changes;
        CHECK_FALSE(stream->Read(&changes));
        CHECK(stream->Finish().error_code() == grpc::StatusCode::UNAVAILABLE);
        CHECK(registered().status().code() == pb::OK);
    }

    TEST_CASE_FIXTURE(Replicas, "broken connections delay a change and lose none")
    {
        registered_at(other);
        Context context{probe_token};
        const auto stream = follow_other(context);
        for (const char* job : {"first", "second"}) {
            Postgresql::cluster().cut(database.url());
            post("check/add", check(job));
            CHECK(next_check(*stream).check().job() == job);
        }
    }

    TEST_CASE_FIXTURE(Replicas, "without a database: 503, UNAVAILABLE, not ready; then as before")
    {
        const auto& cluster = Postgresql::cluster();
        registered_at(other);
        Context context{probe_token};
        const auto stream = follow_other(context);
        cluster.open_to_connections(database.url(), false);
        CHECK(status_of("POST", replica.url("check/add"), check("first")) == 503);
        CHECK(json::parse(answer)["err"] == "the database does not answer");
        CHECK_FALSE(replica.control->ready());
        registered(grpc::StatusCode::UNAVAILABLE);
        cluster.open_to_connections(database.url(), true);
        CHECK(status_of("POST", replica.url("check/add"), check("first")) == 200);
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{30};
        while (!replica.control->ready() && std::chrono::steady_clock::now() < limit)
            std::this_thread::yield();  // the listener comes back by itself
        CHECK(replica.control->ready());
        // The outage was shorter than the lease: the stream went on.
        CHECK(next_check(*stream).check().job() == "first");
    }

    TEST_CASE("what keeps a replica from starting names the option, and no password")
    {
        const ScratchFolder folder;
        const TestDatabase database{folder, DatabaseKind::postgresql};
        const auto start = [&](auto spoil) {
            config::ControlConfig config;
            database.put_into(config);
            config.http.listen = {{"127.0.0.1", 0}};
            config.grpc.listen = {{"127.0.0.1", 0}};
            config.directory = fmt::format(directory_text, control::sha256_hex("pub-acme"));
            spoil(config);
            asio::io_context loop;
            asio::thread_pool workers{1};
            prometheus::Registry registry;
            control::Control control{loop.get_executor(), workers, config, registry};
            const auto started = control.start();
            REQUIRE(started.has_error());
            return started.error().message;
        };
        const auto wrong =
            start([](auto& config) { config.database_password = config::Secret{"hunter2"}; });
        CHECK(wrong.starts_with("control.database.url: " + database.url() + ": "));
        CHECK(wrong.find("hunter2") == std::string::npos);
        const auto no_key =
            start([&](auto& config) { config.secrets_key_file = folder.path("x"); });
        CHECK(no_key.starts_with("control.secrets.key_file: " + folder.path("x") + " is missing"));
        const auto other_key = start([&](auto& config) {
            const Replica first{database};
            config.secrets_key_file = folder.path("other");
            REQUIRE(control::Seal::load(config.secrets_key_file).has_value());
        });
        CHECK(other_key.starts_with("control.secrets.key_file: its keys are not those"));
    }
}
