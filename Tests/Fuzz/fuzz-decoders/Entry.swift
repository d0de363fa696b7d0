import SystemCalls

private let target: FuzzTarget = {
    let name = environmentVariable("WEIR_FUZZ") ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: " ")
        preconditionFailure("WEIR_FUZZ names no decoder: \(names)")
    }
    return target
}()

/// What libFuzzer calls with each input.
// SAFETY: libFuzzer lends `count` octets for the call; they are copied.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ octets: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let buffer = unsafe UnsafeBufferPointer(start: octets, count: unsafe octets == nil ? 0 : count)
    unsafe target.run(Array(buffer))
    return 0
}
