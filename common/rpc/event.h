#pragma once

namespace verdict::rpc {

// Where a completion queue's event goes; its address is the event's tag.
class Event {
 public:
  virtual ~Event() = default;
  virtual void Complete(bool ok) = 0;
};

// Binds an event to a member function of an object that outlives it.
template <typename Object, void (Object::*handler)(bool)>
class Handler final : public Event {
 public:
  explicit Handler(Object& object) : object_(object) {}
  void Complete(bool ok) override { (object_.*handler)(ok); }

 private:
  Object& object_;
};

}  // namespace verdict::rpc
