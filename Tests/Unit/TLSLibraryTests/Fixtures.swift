import Cryptography
import TLSLibrary

// Certificates of a cluster and of another one, made once with `openssl x509 -req -days 36500`.

/// One certificate with its key.
struct Fixture {
    let certificate: String
    let key: String

    /// The certificate alone, in DER.
    func der() throws -> [UInt8] {
        try PEM.decode(certificate, label: "CERTIFICATE")[0]
    }

    /// With its key, and the certificates above it.
    func identity(_ above: Fixture...) throws -> TLSIdentity {
        TLSIdentity(
            chain: try [der()] + above.map { try $0.der() },
            privateKey: try P256PrivateKey(pem: key).der
        )
    }
}

/// The cluster's authority.
let caFixture = Fixture(
    certificate: """
        -----BEGIN CERTIFICATE-----
        MIIBjDCCATGgAwIBAgIUKu6IDiWAVrDbPds8Bti0AwwDlEMwCgYIKoZIzj0EAwIw
        EjEQMA4GA1UEAwwHd2VpciBjYTAgFw0yNjExMjQxNDQxMjRaGA8yMTI2MTAzMTE0
        NDEyNFowEjEQMA4GA1UEAwwHd2VpciBjYTBZMBMGByqGSM49AgEGCCqGSM49AwEH
        A0IABGRuoyN712SUGPjEBYnshesgH/NOP6X/YOajpDaqNK4Ig2w2VVPwG7ofi96M
        tzPq0vnkkzNbUGKifEF3W18ebhmjYzBhMB0GA1UdDgQWBBRx6V2RAW4jSXW9LeTo
        tKpRzT5EGjAfBgNVHSMEGDAWgBRx6V2RAW4jSXW9LeTotKpRzT5EGjAPBgNVHRMB
        Af8EBTADAQH/MA4GA1UdDwEB/wQEAwICBDAKBggqhkjOPQQDAgNJADBGAiEAw/CP
        y7nm6IfauKrdCN9vyOPkxu6qXbs6v+B5viSrhM4CIQCMLWoMoMdeu6E5/3vzGcxn
        xFwWZqBkMPkX36Q+/lWLtA==
        -----END CERTIFICATE-----
        """,
    key: """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgPt0DmZiaiq6uKHA9
        0g2Nqmn8Qihha9TGi9gdlRNEH3ahRANCAARkbqMje9dklBj4xAWJ7IXrIB/zTj+l
        /2Dmo6Q2qjSuCINsNlVT8Bu6H4vejLcz6tL55JMzW1BionxBd1tfHm4Z
        -----END PRIVATE KEY-----
        """
)

/// Another cluster's authority.
let otherFixture = Fixture(
    certificate: """
        -----BEGIN CERTIFICATE-----
        MIIBkTCCATegAwIBAgIUCUWh414gjbg5do6bJTdVZmGKMUswCgYIKoZIzj0EAwIw
        FTETMBEGA1UEAwwKd2VpciBvdGhlcjAgFw0yNjExMjQxNDQxMjRaGA8yMTI2MTAz
        MTE0NDEyNFowFTETMBEGA1UEAwwKd2VpciBvdGhlcjBZMBMGByqGSM49AgEGCCqG
        SM49AwEHA0IABLKtwjBjmfkvfBraGGpyYLNlJ5S1oSF3wvsdxBqSbZBwMWJ3bU6m
        7Cn7OxRlJG7wni9q0ou5shMEvZDcpSaixSujYzBhMB0GA1UdDgQWBBTtoGbrhArR
        32SfVC9kDp1mtgtvjTAfBgNVHSMEGDAWgBTtoGbrhArR32SfVC9kDp1mtgtvjTAP
        BgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwICBDAKBggqhkjOPQQDAgNIADBF
        AiAvmIhmwhp+VTg+d0CkR10UHCGuoaC3hhgSYWQWuJ2sSwIhAP1Ed0z47mmlUw/Z
        9z+27zCIpodHwaa48+cNWNWX99HR
        -----END CERTIFICATE-----
        """,
    key: """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgyKgrjrVsPebK5P8G
        r1QVA50dhrO7n41cEAq2dRf+pCmhRANCAASyrcIwY5n5L3wa2hhqcmCzZSeUtaEh
        d8L7HcQakm2QcDFid21Opuwp+zsUZSRu8J4vatKLubITBL2Q3KUmosUr
        -----END PRIVATE KEY-----
        """
)

/// The control plane.
let serverFixture = Fixture(
    certificate: """
        -----BEGIN CERTIFICATE-----
        MIIBqzCCAVGgAwIBAgIUfN7iTy1KeAR+IdWttorjAaCEgYEwCgYIKoZIzj0EAwIw
        EjEQMA4GA1UEAwwHd2VpciBjYTAgFw0yNjExMjQxNDQxMjRaGA8yMTI2MTAzMTE0
        NDEyNFowFzEVMBMGA1UEAwwMY29udHJvbC53ZWlyMFkwEwYHKoZIzj0CAQYIKoZI
        zj0DAQcDQgAE3YPP+/YutIkgjcko/slwi0K7WUHLQ9DHZ7QGDyXak5AFVKa/dRji
        tLE7Vzk1XUleBK4oNr/uU48gHcRdZ+fTaKN+MHwwFwYDVR0RBBAwDoIMY29udHJv
        bC53ZWlyMBMGA1UdJQQMMAoGCCsGAQUFBwMBMAwGA1UdEwEB/wQCMAAwHQYDVR0O
        BBYEFNEdQRD795h6lgJEu/Iv1a4DD3FsMB8GA1UdIwQYMBaAFHHpXZEBbiNJdb0t
        5Oi0qlHNPkQaMAoGCCqGSM49BAMCA0gAMEUCIEQtySS8lNlv3jAaWmL7Z/h5TMZi
        cuctg+5IyC+tiXKAAiEA66zMzNFyEVnJtZlncKfB5vv4kx6s+ymGaN93Ic7yTCY=
        -----END CERTIFICATE-----
        """,
    key: """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg9yCRyPiqXkG9O0el
        b+I1NNbhCn50h508/TW1DvG4p56hRANCAATdg8/79i60iSCNySj+yXCLQrtZQctD
        0MdntAYPJdqTkAVUpr91GOK0sTtXOTVdSV4Erig2v+5TjyAdxF1n59No
        -----END PRIVATE KEY-----
        """
)

/// A server with another name, whose common name is `control.weir`.
let elsewhereFixture = Fixture(
    certificate: """
        -----BEGIN CERTIFICATE-----
        MIIBqTCCAU+gAwIBAgIUfN7iTy1KeAR+IdWttorjAaCEgYIwCgYIKoZIzj0EAwIw
        EjEQMA4GA1UEAwwHd2VpciBjYTAgFw0yNjExMjQxNDQxMjRaGA8yMTI2MTAzMTE0
        NDEyNFowFzEVMBMGA1UEAwwMY29udHJvbC53ZWlyMFkwEwYHKoZIzj0CAQYIKoZI
        zj0DAQcDQgAESJBAdECUPN1Nqg34wKb4PWNgoHc1gMiDB+MvvsWEaELU7A5zhAMJ
        Ay1QGJeC1Ly8DbBDbGUFcL8jkQU9H1+bMaN8MHowFQYDVR0RBA4wDIIKb3RoZXIu
        d2VpcjATBgNVHSUEDDAKBggrBgEFBQcDATAMBgNVHRMBAf8EAjAAMB0GA1UdDgQW
        BBSBFdB9HnpGCwij37SwbGacMcIjdjAfBgNVHSMEGDAWgBRx6V2RAW4jSXW9LeTo
        tKpRzT5EGjAKBggqhkjOPQQDAgNIADBFAiA+l5HPJ1KFi1e6SWPZqXwuCJrA1xRI
        wAtiROYacmsm0gIhAKobwnM+90Fl256Q3q+gvPiMOfa+ofDK2vjd1G0tPFHQ
        -----END CERTIFICATE-----
        """,
    key: """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgC5FmbEI+hUsKzwe1
        QAWArs5jTtT+SNosfN16l+R7tiWhRANCAARIkEB0QJQ83U2qDfjApvg9Y2CgdzWA
        yIMH4y++xYRoQtTsDnOEAwkDLVAYl4LUvLwNsENsZQVwvyORBT0fX5sx
        -----END PRIVATE KEY-----
        """
)

/// A server with a wildcard name.
let wildcardFixture = Fixture(
    certificate: """
        -----BEGIN CERTIFICATE-----
        MIIBpDCCAUugAwIBAgIUfN7iTy1KeAR+IdWttorjAaCEgYMwCgYIKoZIzj0EAwIw
        EjEQMA4GA1UEAwwHd2VpciBjYTAgFw0yNjExMjQxNDQxMjRaGA8yMTI2MTAzMTE0
        NDEyNFowFzEVMBMGA1UEAwwMY29udHJvbC53ZWlyMFkwEwYHKoZIzj0CAQYIKoZI
        zj0DAQcDQgAE+cuWfVXdMVKDO4K+o47ES97It5BH53EWQv70IrDdU7nE1rU4XxnA
        AVbEt6Uba0Z8KIyhh5vHU+Gf6iOni+7cH6N4MHYwEQYDVR0RBAowCIIGKi53ZWly
        MBMGA1UdJQQMMAoGCCsGAQUFBwMBMAwGA1UdEwEB/wQCMAAwHQYDVR0OBBYEFGFG
        l2y8n56jqJVAzc8gbiFPPOZAMB8GA1UdIwQYMBaAFHHpXZEBbiNJdb0t5Oi0qlHN
        PkQaMAoGCCqGSM49BAMCA0cAMEQCIEnxVx/yeX4GgGQNEyvLc9kwkH0atKlTdz1b
        R76SNhXuAiA3WXetrywNh+Zlp8Jd5sduAPNmbBbHwTnZ2gTijyv8ig==
        -----END CERTIFICATE-----
        """,
    key: """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgr7HZ6OM+kIqW0kxc
        3vZIUmuNM4ahXiYCwvAheFnJg6GhRANCAAT5y5Z9Vd0xUoM7gr6jjsRL3si3kEfn
        cRZC/vQisN1TucTWtThfGcABVsS3pRtrRnwojKGHm8dT4Z/qI6eL7twf
        -----END PRIVATE KEY-----
        """
)

/// A node.
let nodeFixture = Fixture(
    certificate: """
        -----BEGIN CERTIFICATE-----
        MIIBsDCCAVagAwIBAgIUfN7iTy1KeAR+IdWttorjAaCEgYQwCgYIKoZIzj0EAwIw
        EjEQMA4GA1UEAwwHd2VpciBjYTAgFw0yNjExMjQxNDQxMjVaGA8yMTI2MTAzMTE0
        NDEyNVowETEPMA0GA1UEAwwGZWRnZS0xMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD
        QgAEHg2bJV3U5mKKAMeo9yan6/Up1ZWLa4S3xJAWnpU8y9t+e+wRkuZ7GAj33KA3
        f+vorWID7oJAMv3hf9a7gU0iRaOBiDCBhTAgBgNVHREEGTAXhhV3ZWlyOi8vMDAv
        bm9kZS9lZGdlLTEwEwYDVR0lBAwwCgYIKwYBBQUHAwIwDAYDVR0TAQH/BAIwADAd
        BgNVHQ4EFgQUV+grgQelkFp8TU9rCRgsxClfHj4wHwYDVR0jBBgwFoAUceldkQFu
        I0l1vS3k6LSqUc0+RBowCgYIKoZIzj0EAwIDSAAwRQIgcJf1dm3dXGfTRDFAh9a/
        syAYIDId7GIDPQU/03PpBnACIQDaUuYfZDVOkb+qeE5p0zpNN/J3ZJ2YMfKfQrrO
        2cEbnw==
        -----END CERTIFICATE-----
        """,
    key: """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgnGYZIK6Y7WDRcKQ5
        WybHbcBpsBPWyMo0/I7lVtTEEJehRANCAAQeDZslXdTmYooAx6j3Jqfr9SnVlYtr
        hLfEkBaelTzL23577BGS5nsYCPfcoDd/6+itYgPugkAy/eF/1ruBTSJF
        -----END PRIVATE KEY-----
        """
)

/// A client certificate with the name of the control plane.
let posingFixture = Fixture(
    certificate: """
        -----BEGIN CERTIFICATE-----
        MIIBqzCCAVGgAwIBAgIUfN7iTy1KeAR+IdWttorjAaCEgYUwCgYIKoZIzj0EAwIw
        EjEQMA4GA1UEAwwHd2VpciBjYTAgFw0yNjExMjQxNDQxMjVaGA8yMTI2MTAzMTE0
        NDEyNVowFzEVMBMGA1UEAwwMY29udHJvbC53ZWlyMFkwEwYHKoZIzj0CAQYIKoZI
        zj0DAQcDQgAE/IHSH/+F7h6HdNXHjVdIXfDjOmuYr6HCIN/HkYufvL7I/KJXlbxG
        0MCXivHe3UPwcpJyIy+avAeqDljskOtFTqN+MHwwFwYDVR0RBBAwDoIMY29udHJv
        bC53ZWlyMBMGA1UdJQQMMAoGCCsGAQUFBwMCMAwGA1UdEwEB/wQCMAAwHQYDVR0O
        BBYEFBrvyFPxpYodpO2/4FkidakslowOMB8GA1UdIwQYMBaAFHHpXZEBbiNJdb0t
        5Oi0qlHNPkQaMAoGCCqGSM49BAMCA0gAMEUCIQC61BD2txp+K5d9Jr4YVKaw3E/H
        pLf7nVc/mYRNTBK/5wIgImAdjkgqP5w3Da/XOfhUII2wYg8cqUtBWqVXm/onZyY=
        -----END CERTIFICATE-----
        """,
    key: """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgUP24CzOys+DLHKS9
        gmUzg7f8o891Zvj+0BrTQc4lOcChRANCAAT8gdIf/4XuHod01ceNV0hd8OM6a5iv
        ocIg38eRi5+8vsj8oleVvEbQwJeK8d7dQ/ByknIjL5q8B6oOWOyQ60VO
        -----END PRIVATE KEY-----
        """
)

/// A node of the other cluster.
let foreignFixture = Fixture(
    certificate: """
        -----BEGIN CERTIFICATE-----
        MIIBtDCCAVmgAwIBAgIUCeceDXNI5pEuWUqBIBuzNkHU2ykwCgYIKoZIzj0EAwIw
        FTETMBEGA1UEAwwKd2VpciBvdGhlcjAgFw0yNjExMjQxNDQxMjVaGA8yMTI2MTAz
        MTE0NDEyNVowETEPMA0GA1UEAwwGZWRnZS0xMFkwEwYHKoZIzj0CAQYIKoZIzj0D
        AQcDQgAEuJGmBdlLtUD0DsyVOC6ir/V7ySuTvIWAT6FXnoJPMuGsqh2iVcrUms5J
        +u734g8j+kjP4IiiKmS+KuaPkPzCBaOBiDCBhTAgBgNVHREEGTAXhhV3ZWlyOi8v
        MDAvbm9kZS9lZGdlLTEwEwYDVR0lBAwwCgYIKwYBBQUHAwIwDAYDVR0TAQH/BAIw
        ADAdBgNVHQ4EFgQUw6xtiReq3IezgcvUM28M5oyP7qEwHwYDVR0jBBgwFoAU7aBm
        64QK0d9kn1QvZA6dZrYLb40wCgYIKoZIzj0EAwIDSQAwRgIhAPZ5ThjPWjtEU7XT
        g1VpeETd5Ut974kmucwScV9vPDo5AiEAmhQjh1ZPrEQWW8bO9X1PvlY+LZrw9N0N
        B/A8edZwgys=
        -----END CERTIFICATE-----
        """,
    key: """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQasseDRQ+t5koo2/
        WP1TqAJgEfsBX15AIRv+lpYFDO2hRANCAAS4kaYF2Uu1QPQOzJU4LqKv9XvJK5O8
        hYBPoVeegk8y4ayqHaJVytSazkn67vfiDyP6SM/giKIqZL4q5o+Q/MIF
        -----END PRIVATE KEY-----
        """
)

/// The control plane, with a validity that is over.
let expiredFixture = Fixture(
    certificate: """
        -----BEGIN CERTIFICATE-----
        MIIBqTCCAU+gAwIBAgIUfN7iTy1KeAR+IdWttorjAaCEgYYwCgYIKoZIzj0EAwIw
        EjEQMA4GA1UEAwwHd2VpciBjYTAeFw0yNjExMjQxNDQxMjVaFw0yNjExMjMxNDQx
        MjVaMBcxFTATBgNVBAMMDGNvbnRyb2wud2VpcjBZMBMGByqGSM49AgEGCCqGSM49
        AwEHA0IABN2Dz/v2LrSJII3JKP7JcItCu1lBy0PQx2e0Bg8l2pOQBVSmv3UY4rSx
        O1c5NV1JXgSuKDa/7lOPIB3EXWfn02ijfjB8MBcGA1UdEQQQMA6CDGNvbnRyb2wu
        d2VpcjATBgNVHSUEDDAKBggrBgEFBQcDATAMBgNVHRMBAf8EAjAAMB0GA1UdDgQW
        BBTRHUEQ+/eYepYCRLvyL9WuAw9xbDAfBgNVHSMEGDAWgBRx6V2RAW4jSXW9LeTo
        tKpRzT5EGjAKBggqhkjOPQQDAgNIADBFAiBOWvhmmTttqkCcQeTeUeDg3y45xzUS
        G+lRsHK9T+voNwIhAJMMbEFbPfKnKyIF9yw3Z64ERH7/1qo7q6HKq9zqX1Wl
        -----END CERTIFICATE-----
        """,
    key: """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg9yCRyPiqXkG9O0el
        b+I1NNbhCn50h508/TW1DvG4p56hRANCAATdg8/79i60iSCNySj+yXCLQrtZQctD
        0MdntAYPJdqTkAVUpr91GOK0sTtXOTVdSV4Erig2v+5TjyAdxF1n59No
        -----END PRIVATE KEY-----
        """
)
