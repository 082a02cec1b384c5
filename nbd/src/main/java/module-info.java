/** The NBD server: turns the protocol into requests on queues. */
module dev.cowherd.nbd {
    requires static transitive org.jspecify;
    requires transitive dev.cowherd.image;

    exports dev.cowherd.nbd;
}
