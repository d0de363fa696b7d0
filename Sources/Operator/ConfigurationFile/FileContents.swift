import Foundation
import SystemCalls

/// Reads files with a bound.
enum FileContents {
    /// Why a file cannot be read.
    struct Failure: Error {
        let reason: String
    }

    /// Reads a file, or standard input for `nil`, up to `bytesMax` octets.
    static func read(_ path: String?, bytesMax: Int) throws(Failure) -> [UInt8] {
        let handle: FileHandle
        if let path {
            guard let opened = FileHandle(forReadingAtPath: path) else {
                throw Failure(reason: reason(path))
            }
            handle = opened
        } else {
            handle = .standardInput
        }
        return try read(handle, path, bytesMax: bytesMax)
    }

    /// Reads a file that a configuration names, up to `bytesMax` octets.
    ///
    /// It must be a regular one: a FIFO would be waited for, and what a device gives is no text of anybody's.
    static func read(regular path: String, bytesMax: Int) throws(Failure) -> [UInt8] {
        let descriptor: Int32
        do throws(SystemCallError) {
            descriptor = try openRegularFile(path).release()
        } catch {
            switch error.errno {
            case .noSuchFile, .permissionDenied, .isDirectory: throw Failure(reason: reason(path))
            case .notDirectory: throw Failure(reason: "there is no such file")
            default: throw Failure(reason: "it is not a regular file")
            }
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        return try read(handle, path, bytesMax: bytesMax)
    }

    private static func read(
        _ handle: FileHandle,
        _ path: String?,
        bytesMax: Int
    ) throws(Failure) -> [UInt8] {
        var octets: [UInt8] = []
        do {
            while octets.count < bytesMax,
                let part = try handle.read(upToCount: min(1 << 20, bytesMax - octets.count)),
                !part.isEmpty
            {
                octets.append(contentsOf: part)
            }
            if path != nil { try handle.close() }
        } catch {
            throw Failure(reason: isDirectory(path) ? "it is a directory" : "an input error")
        }
        return octets
    }

    private static func reason(_ path: String) -> String {
        if !FileManager.default.fileExists(atPath: path) { return "there is no such file" }
        return isDirectory(path) ? "it is a directory" : "permission denied"
    }

    private static func isDirectory(_ path: String?) -> Bool {
        guard let path,
            let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        else { return false }  // Whatever cannot be asked is not known to be a directory.
        return attributes[.type] as? FileAttributeType == .typeDirectory
    }
}
