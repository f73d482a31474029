#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "common/ids/uuid.h"
#include "common/pg/pool.h"
#include "common/pg/statement.h"
#include "services/aggregator/cursor.h"
#include "verdict/aggregator/v1/aggregator_service.pb.h"
#include "verdict/types/v1/entity.pb.h"

namespace verdict::pg {
class Session;
}  // namespace verdict::pg

namespace verdict::aggregator {

// What a read of feedback is about.
struct Entity {
  Uuid project_id = {};
  types::v1::EntityType type = types::v1::ENTITY_TYPE_UNSPECIFIED;
  Uuid key = {};  // EntityKey of its id
};

// Which items are wanted: those that pass all that is given.
struct Selection {
  std::optional<v1::FeedbackKind> kind = {};
  std::optional<Uuid> judge_id = {};        // of or about this judge
  std::optional<std::string> user_id = {};  // feedback of the person of this id, of whatever kind
  std::optional<bool> thumbs_up = {};       // feedback of people
  std::optional<Time> created_after = {};   // inclusive
  std::optional<Time> created_before = {};  // exclusive
  std::optional<Place> after = {};          // behind this place, in the order of the list
  std::optional<int> limit = {};
};

// The state of an entity, whatever is selected.
struct EntityState {
  v1::FeedbackSummary summary;
  std::string etag;  // in quotes; another one whenever another item, or another value of one, would be shown
};

// An entity with all its items, ascending by created_at, then id.
struct EntityFeedback {
  EntityState state;
  std::vector<v1::FeedbackItem> items = {};
};

// The reads of feedback and evaluations as items. Thread-safe; blocks. Each method reads one snapshot, and
// fails as pg::Execute and pg::WithTransaction do: also in the midst of it, when items were taken already.
class AggregatorStore {
 public:
  // Up to this many items, with texts of up to so many bytes, are read by one statement, whose result stays
  // in memory while the caller reads; more through a cursor.
  static constexpr int kOneStatementItems = 1'000;
  static constexpr int kOneStatementBytes = 2 << 20;

  // Returns false when the items, or more of them, are not wanted.
  using TakeState = absl::FunctionRef<bool(EntityState)>;
  using TakeItem = absl::FunctionRef<bool(v1::FeedbackItem&&)>;
  using TakeRevision = absl::FunctionRef<bool(v1::FeedbackRevision)>;

  // Part of Statements() (statements.h), which the pools must have prepared.
  static std::vector<pg::Statement> ItemStatements();

  // `reads` serves what is taken at once. `streams` serves the rest: there a slow caller holds a connection
  // for as long as it reads. Both outlive the store.
  AggregatorStore(pg::Pool& reads, pg::Pool& streams) : reads_(reads), streams_(streams) {}

  // The state of the entity and then the selected items, ascending by created_at, then id. With a limit of
  // the selection, `take_item` must take an item at once.
  absl::Status ReadFeedback(const Entity& entity, const Selection& selection, TakeState take_state,
                            TakeItem take_item) const;

  // Several entities of one type, by one statement, which is one snapshot; over a connection that has
  // SeveralStatements prepared. In the order of the keys; nullopt where there are more than kSeveralItems, or
  // more than 64 KiB of texts.
  static constexpr int kSeveralItems = 200;
  static std::span<const pg::Statement> SeveralStatements();
  static absl::StatusOr<std::vector<std::optional<EntityFeedback>>> ReadSeveral(pg::Session& session,
                                                                                const Uuid& project_id,
                                                                                types::v1::EntityType type,
                                                                                absl::Span<const Uuid> keys);
  // The same over a connection of its own, which finds a few rows by index, whatever the number of keys.
  using SeveralReader = std::function<absl::StatusOr<std::vector<std::optional<EntityFeedback>>>(
      const Uuid& project_id, types::v1::EntityType type, absl::Span<const Uuid> keys)>;
  static SeveralReader NewSeveralReader(pg::ConnectionOptions connection);

  // The selected items of the project, descending by created_at, then id; each says what it is on.
  // `take_item` must take an item at once.
  absl::Status ListFeedback(const Uuid& project_id, const Selection& selection, TakeItem take_item) const;

  // The same for as long as the caller takes.
  absl::Status ExportFeedback(const Uuid& project_id, const Selection& selection, TakeItem take_item) const;

  // The item of this id with all that is known of it, and the revisions that it replaced, newest first, below
  // `before_revision` if given. FEEDBACK_NOT_FOUND.
  absl::StatusOr<v1::FeedbackItem> ReadItem(const Uuid& project_id, const Uuid& id,
                                            std::optional<int> before_revision,
                                            TakeRevision take_revision) const;

  // Whether the database answers and has what ReadFeedback reads.
  absl::Status Check() const;

 private:
  // ReadFeedback of any number of items.
  absl::Status ReadLargeFeedback(const Entity& entity, const Selection& selection, TakeState take_state,
                                 TakeItem take_item) const;

  pg::Pool& reads_;
  pg::Pool& streams_;
};

}  // namespace verdict::aggregator
