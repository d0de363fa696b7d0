extension Digest {
    /// The SHA-256 digest of `octets` (FIPS 180-4).
    package init(hashing octets: [UInt8]) {
        var state = SHA256State()
        state.absorb(octets)
        guard let digest = Digest(octets: state.finish()) else {
            preconditionFailure("SHA-256 gives 32 octets")
        }
        self = digest
    }
}

/// SHA-256 (FIPS 180-4 §6.2) over one message.
private struct SHA256State {
    private var hash: [UInt32] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a,
        0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    private var tail: [UInt8] = []
    private var octetCount = 0

    mutating func absorb(_ octets: [UInt8]) {
        octetCount += octets.count
        var index = 0
        while index + 64 <= octets.count {
            compress(octets, at: index)
            index += 64
        }
        tail = Array(octets[index...])
    }

    mutating func finish() -> [UInt8] {
        tail.append(0x80)
        while tail.count % 64 != 56 { tail.append(0) }
        let bitCount = UInt64(octetCount) * 8
        for shift in stride(from: 56, through: 0, by: -8) {
            tail.append(UInt8(truncatingIfNeeded: bitCount >> UInt64(shift)))
        }
        let rest = tail
        for start in stride(from: 0, to: rest.count, by: 64) { compress(rest, at: start) }
        return hash.flatMap { word in
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) }
        }
    }

    /// All additions are modulo 2^32, as the standard defines them.
    private mutating func compress(_ octets: [UInt8], at start: Int) {
        var schedule = [UInt32](repeating: 0, count: 64)
        for index in 0..<16 {
            let at = start + 4 * index
            schedule[index] =
                UInt32(octets[at]) << 24 | UInt32(octets[at + 1]) << 16
                | UInt32(octets[at + 2]) << 8 | UInt32(octets[at + 3])
        }
        for index in 16..<64 {
            let first = schedule[index - 15]
            let second = schedule[index - 2]
            let small0 = rotate(first, 7) ^ rotate(first, 18) ^ first >> 3
            let small1 = rotate(second, 17) ^ rotate(second, 19) ^ second >> 10
            schedule[index] = schedule[index - 16] &+ small0 &+ schedule[index - 7] &+ small1
        }
        var state = hash
        for index in 0..<64 {
            let big1 = rotate(state[4], 6) ^ rotate(state[4], 11) ^ rotate(state[4], 25)
            let choice = state[4] & state[5] ^ ~state[4] & state[6]
            let step = state[7] &+ big1 &+ choice &+ Self.constants[index] &+ schedule[index]
            let big0 = rotate(state[0], 2) ^ rotate(state[0], 13) ^ rotate(state[0], 22)
            let majority = state[0] & state[1] ^ state[0] & state[2] ^ state[1] & state[2]
            state = [
                step &+ big0 &+ majority, state[0], state[1], state[2],
                state[3] &+ step, state[4], state[5], state[6],
            ]
        }
        for index in 0..<8 { hash[index] = hash[index] &+ state[index] }
    }

    private func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 {
        word >> count | word << (32 - count)
    }

    private static let constants: [UInt32] = [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4,
        0xab1c_5ed5, 0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe,
        0x9bdc_06a7, 0xc19b_f174, 0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f,
        0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da, 0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7,
        0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967, 0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc,
        0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85, 0xa2bf_e8a1, 0xa81a_664b,
        0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070, 0x19a4_c116,
        0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7,
        0xc671_78f2,
    ]
}
