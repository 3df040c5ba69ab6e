// Functions of one number that the compiler vectorizes in loops: no branches, no calls.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "simd.hpp"

namespace chainrule::CHAINRULE_ISA {

// e^x = 2^n e^r with n the nearest integer to x / ln 2, so |r| <= ln(2) / 2, and e^r from its Taylor series: the first
// omitted term is below half a unit in the last place. 0 if the result is too small to be a normal number, infinite if it
// is near the largest; NaN stays NaN.
CHAINRULE_INLINE float exponential(float x) {
    constexpr float shift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
    const float held = x >= -87.33654f ? (x < 88.72283f ? x : 88.72283f) : -87.33654f;
    const float shifted = held * 1.44269504088896341f + shift, n = shifted - shift;
    const float r = held - n * 0.693359375f + n * 2.12194440e-4f;  // ln 2 in two parts, the first exact in few digits
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const std::int32_t whole = static_cast<std::int32_t>(n);
    const std::int32_t half = whole / 2, bits = (half + 127) << 23, rest = (whole - half + 127) << 23;  // 2^128 is too large
    float power, other;
    std::memcpy(&power, &bits, sizeof power);
    std::memcpy(&other, &rest, sizeof other);
    const float y = p * power * other;
    return x < -87.33654f ? 0.0f : x > 88.72283f ? std::numeric_limits<float>::infinity() : x == x ? y : x;
}

CHAINRULE_INLINE double exponential(double x) {
    constexpr double shift = 6755399441055744.0;  // 1.5 * 2^52
    const double held = x >= -708.0 ? (x < 709.4 ? x : 709.4) : -708.0;
    const double shifted = held * 1.4426950408889634 + shift, n = shifted - shift;
    const double r = held - n * 0.693145751953125 - n * 1.42860682030941723212e-6;
    double p = 1.0 / 6227020800;
    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    std::uint64_t whole;
    std::memcpy(&whole, &shifted, sizeof whole);  // its last bits are n's
    const std::uint64_t bits = (whole + 1023) << 52;
    double power;
    std::memcpy(&power, &bits, sizeof power);
    const double y = p * power;
    return x < -708.0 ? 0.0 : x > 709.4 ? std::numeric_limits<double>::infinity() : x == x ? y : x;
}

// log(1 + e) for e from 0 to 1: with s = e / (2 + e), at most 1/3, it is 2 (s + s^3 / 3 + s^5 / 5 + ...).
template <class T>
CHAINRULE_INLINE T logarithm_of_one_plus(T e) {
    constexpr int terms = sizeof(T) == 4 ? 8 : 17;
    const T s = e / (2 + e), square = s * s;
    T sum = T(1) / (2 * terms - 1);
#pragma GCC unroll 32
    for (int k = terms - 2; k >= 0; --k) sum = sum * square + T(1) / (2 * k + 1);
    return 2 * s * sum;
}

// 1 / (1 + e^-x), for x < 0 as e^x / (1 + e^x).
template <class T>
CHAINRULE_INLINE T sigmoid(T x) {
    const T e = exponential(-std::abs(x));
    return (x >= 0 ? T(1) : x == x ? e : x) / (1 + e);
}

// 1 - 2 / (e^2x + 1); near zero x - x^3 / 3 + ..., since the difference would lose digits.
template <class T>
CHAINRULE_INLINE T tangent(T x) {
    const T size = std::abs(x), square = x * x;
    const T far = 1 - 2 / (exponential(2 * size) + 1);
    // coefficients of the Taylor series of tanh(x) / x in x^2
    constexpr T series[] = {
        T(1.0), T(-1.0 / 3), T(2.0 / 15), T(-17.0 / 315), T(62.0 / 2835), T(-1382.0 / 155925), T(21844.0 / 6081075),
        T(-929569.0 / 638512875), T(6404582.0 / 10854718875)};
    T near = series[8];
#pragma GCC unroll 8
    for (int k = 7; k >= 0; --k) near = near * square + series[k];
    return size < T(sizeof(T) == 4 ? 0.25 : 0.125) ? x * near : x < 0 ? -far : far;
}

// The normal distribution function, erfc(-x / sqrt(2)) / 2.
CHAINRULE_INLINE double normal_share(double x) { return 0.5 * std::erfc(x * -0.70710678118654752440); }

// erfc(z) = e^(-z^2) t Q(t) for z >= 0, t = 1 / (1 + 0.45 z): Q is a polynomial fitted so that the largest relative error is
// below 3e-8. z^2 in two parts, since rounding it would be a relative error of e^(-z^2).
CHAINRULE_INLINE float normal_share(float x) {
    const float size = std::abs(x) * 0.70710678118654752440f, z = size < 14 ? size : 14, t = 1 / (1 + 0.45f * z);
    constexpr float series[] = {0.253885339f, 0.253881959f, 0.228295743f, 0.175032204f, 0.121031538f, -0.0254556971f,
                                0.147722444f, -0.305973086f, 0.19365273f, -0.0420732004f};
    float q = series[9];
#pragma GCC unroll 9
    for (int k = 8; k >= 0; --k) q = q * t + series[k];
    std::uint32_t bits;
    std::memcpy(&bits, &z, sizeof bits);
    bits &= 0xfffff000u;
    float head;  // its square is exact
    std::memcpy(&head, &bits, sizeof head);
    const float rest = (head - z) * (head + z);
    const float tail = 0.5f * t * q * exponential(-head * head) * (1 + rest * (1 + rest * (0.5f + rest / 6)));
    return x > 0 ? 1 - tail : x == x ? tail : x;
}

}  // namespace chainrule::CHAINRULE_ISA
