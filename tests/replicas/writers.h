#pragma once

#include "config/schema.h"
#include "tests/support/api_client.h"
#include "tests/support/probe_client.h"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace sonde::tests {

/// What the API says of a tenant, its checks and its probes.
struct Truth {
    pb::Tenant tenant;
    std::map<std::int64_t, pb::Check> checks;
    std::map<std::int64_t, pb::Probe> probes;
};
/// Fails the test when the API does not answer.
Truth ask_for_truth(const ApiClient& api);

/// What a probe has that it should not have, lacks, or has of another state than the API
/// (spec 04 §9.2); empty: nothing.
std::string difference(const Truth& truth, std::int64_t probe, const ProbeView& view);

/// Several users who add, change and delete at the same time, each over a connection of its own,
/// and a record of what was acknowledged. Every value of a check follows from one number, so that
/// a check of two writes is found out.
class Writers {
public:
    struct Options {
        std::string token = {};
        std::vector<std::int64_t> probes = {};
        std::vector<std::uint16_t> ports = {};  ///< of replicas: writers are spread over them
        unsigned seed = 1;
        std::size_t writers = 4;
        std::size_t body_bytes = 200;  ///< most of a check
        bool reset_tokens = false;
        /// A probe has got another token. Called by a thread of a writer.
        std::function<void(std::int64_t probe, const std::string& token)> heard = {};
    };
    Writers(Options options, const Truth& before);
    ~Writers();
    Writers(const Writers&) = delete;
    Writers& operator=(const Writers&) = delete;

    void start();
    /// So many more have been acknowledged. Fails the test after a minute.
    void await_acknowledged(std::size_t more);
    void stop();  ///< awaits the answers of what is on its way

    std::size_t acknowledged() const { return acknowledged_; }
    std::size_t unknown() const { return unknown_; }  ///< outcomes, so far

    /// While stopped: compares what was acknowledged with the truth. What nobody knew the outcome
    /// of may have happened or not; from now on it is known.
    /// @return what is wrong.
    std::vector<std::string> verify(const Truth& truth);
    /// What answers there were that should not be, since it was last asked.
    std::vector<std::string> take_odd();
    /// Tokens whose reset nobody knows the outcome of are reset again.
    void settle_tokens(const ApiClient& api);

private:
    class Writer;
    friend class Writer;

    /// A thing and the states in which it may be; an absent one is a message without a job.
    template <class Message>
    struct Slot {
        Message now;
        std::vector<Message> may_be = {};  ///< instead, when an outcome is unknown
        bool certain() const { return may_be.empty(); }
    };
    enum class Outcome { done, not_done, unknown };

    Outcome judge(const ApiClient::Answer& answer, const std::string& what);
    void note(std::string what);

    const Options options_;
    std::atomic<std::size_t> acknowledged_ = 0;
    std::atomic<std::size_t> unknown_ = 0;
    std::atomic<bool> stopping_ = false;
    std::mutex mutex_;  // of odd_; and for whoever awaits
    std::condition_variable progress_;
    std::vector<std::string> odd_;
    std::vector<std::unique_ptr<Writer>> writers_;
    std::vector<std::thread> threads_;
};

}  // namespace sonde::tests
