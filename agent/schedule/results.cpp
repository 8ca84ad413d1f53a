#include "agent/schedule/results.h"

#include "exporters/publisher.h"

#include <utility>

namespace sonde::schedule {
namespace {

class PublisherResults final : public Results {
public:
    explicit PublisherResults(exporters::Publisher& publisher) : publisher_{publisher} {}

    void publish(exporters::Payload payload) override { publisher_.publish(std::move(payload)); }
    void record(const exporters::Gap& gap) override { publisher_.record(gap); }
    std::optional<std::int64_t> last_run(exporters::CheckKey check) const override
    {
        return publisher_.last_run(check);
    }

private:
    exporters::Publisher& publisher_;
};

}  // namespace

std::unique_ptr<Results> results_for(exporters::Publisher& publisher)
{
    return std::make_unique<PublisherResults>(publisher);
}

}  // namespace sonde::schedule
