// Scratch memory for the duration of a kernel.
#pragma once

#include "memory.hpp"
#include "table.hpp"

namespace chainrule {

// The caller does work below this many multiply-adds alone: waking others takes a few microseconds.
constexpr Index kWorthIt = 100000;

template <class T>
class Scratch {
public:
    explicit Scratch(Index size) : data_(static_cast<T*>(take_scratch(static_cast<std::size_t>(size) * sizeof(T)))) {}
    ~Scratch() { give_scratch(data_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    T* data() { return data_; }
    T& operator[](Index i) { return data_[i]; }

private:
    T* data_;
};

}  // namespace chainrule
