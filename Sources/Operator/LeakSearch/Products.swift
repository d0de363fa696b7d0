/// Words by which products and their insides are known.
enum Products {
    /// Words that tell a product with its version, wherever they stand.
    static let versioned = [
        "apache/", "apache-coyote/", "apache tomcat/", "cherrypy/", "envoy/", "express/",
        "gunicorn/", "glassfish",
        "hypercorn", "iis/", "jboss", "jetty(", "jetty/", "kestrel", "laravel", "lighttpd/",
        "litespeed", "mod_ssl/",
        "mod_perl/", "mod_wsgi/", "nginx/", "openresty", "openssl/", "phusion passenger", "php/",
        "basehttp/",
        "python/3", "python/2", "simplehttp/", "servlet/", "tornadoserver/", "traefik", "undertow",
        "uvicorn",
        "varnish", "weblogic", "websphere", "werkzeug/", "wildfly", "asp.net", "node.js", "tomcat/",
    ]
    /// Names that are words, too: they tell a product in the fields that are for it alone.
    static let named = [
        "apache", "caddy", "cowboy", "express", "haproxy", "iis", "jetty", "nginx", "next.js",
        "php", "puma",
        "python", "rails", "ruby", "spring", "tomcat", "unicorn", "waitress", "wsgi",
    ]
    /// Fields that are for products.
    static let fields: Set<String> = ["server", "via", "x-powered-by", "x-server", "x-generator"]
    /// What default error pages say.
    static let pages = [
        "<center>nginx", "<address>apache", "whitelabel error page", "welcome to nginx",
        "apache2 ubuntu default",
        "iis windows server", "cannot get /", "powered by jetty",
    ]
    /// What stack traces say.
    static let traces = [
        "traceback (most recent call last)", "exception in thread", "goroutine 1 [",
        "panic: runtime error",
        "node_modules/", "at object.<anonymous>", "sqlstate[", "java.lang.", "org.springframework",
        "jakarta.servlet",
        "javax.servlet", "microsoft.aspnetcore", "system.nullreferenceexception", "stack trace:",
        "fatal error: uncaught",
        "werkzeug debugger", "django.core", "actioncontroller::", "rack::", "nested exception is",
    ]
}
