/// The version of this build: what every program reports, and nodes send in Hello.
package let buildVersion = "0.1.0"
