package dev.mirror.snapshot.store;

import dev.mirror.snapshot.store.StoreOptions.Tls;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Collection;
import java.util.Optional;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/**
 * PEM files → what the JVM's TLS needs. Read once: a renewed certificate counts from the next start on.
 *
 * @param trusted who is trusted; the JVM's own where there is none
 * @param own who we are, where a certificate was given
 */
record TlsMaterial(Optional<TrustManagerFactory> trusted, Optional<KeyManagerFactory> own) {
    private static final String KEY_BEGINS = "-----BEGIN PRIVATE KEY-----";
    private static final String KEY_ENDS = "-----END PRIVATE KEY-----";
    /** Of key stores that never leave this class. */
    private static final char[] NO_PASSWORD = {};

    /**
     * @throws StoreUrlException where a file holds something else
     */
    static TlsMaterial read(Tls tls) {
        return new TlsMaterial(
                tls.ca().map(TlsMaterial::trusted), tls.cert().map(cert -> own(cert, tls.key().orElseThrow())));
    }

    SSLContext context() {
        try {
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(
                    own.map(KeyManagerFactory::getKeyManagers).orElse(null),
                    trusted.map(TrustManagerFactory::getTrustManagers).orElse(null),
                    null);
            return context;
        } catch (GeneralSecurityException e) {
            throw new StoreUrlException("this JVM cannot do TLS", e);
        }
    }

    private static TrustManagerFactory trusted(Path ca) {
        try {
            KeyStore store = emptyStore();
            for (Certificate certificate : certificates(ca)) {
                store.setCertificateEntry("ca-" + store.size(), certificate);
            }
            if (store.size() == 0) {
                throw new StoreUrlException("the file of ca= holds no certificate in PEM: " + ca);
            }
            TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            factory.init(store);
            return factory;
        } catch (IOException | GeneralSecurityException e) {
            throw new StoreUrlException("the file of ca= holds no certificates in PEM: " + ca, e);
        }
    }

    private static KeyManagerFactory own(Path cert, Path key) {
        try {
            Certificate[] chain = certificates(cert).toArray(Certificate[]::new);
            if (chain.length == 0) {
                throw new StoreUrlException("the file of cert= holds no certificate in PEM: " + cert);
            }
            KeyStore store = emptyStore();
            store.setKeyEntry("own", privateKey(key, chain[0].getPublicKey().getAlgorithm()), NO_PASSWORD, chain);
            KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            factory.init(store, NO_PASSWORD);
            return factory;
        } catch (IOException | GeneralSecurityException e) {
            throw new StoreUrlException("the files of cert= and key= do not hold a certificate and its key: " + cert, e);
        }
    }

    private static Collection<? extends Certificate> certificates(Path file) throws IOException, GeneralSecurityException {
        try (InputStream in = Files.newInputStream(file)) {
            return CertificateFactory.getInstance("X.509").generateCertificates(in);
        }
    }

    private static PrivateKey privateKey(Path file, String algorithm) throws IOException, GeneralSecurityException {
        String text = Files.readString(file, StandardCharsets.ISO_8859_1);
        int from = text.indexOf(KEY_BEGINS);
        int to = text.indexOf(KEY_ENDS, Math.max(from, 0));
        if (from < 0 || to < 0) {
            throw new StoreUrlException("the file of key= holds no key in PKCS#8: make one of it with"
                    + " `openssl pkcs8 -topk8 -nocrypt -in KEY -out NEWKEY`");
        }
        byte[] key = Base64.getMimeDecoder().decode(text.substring(from + KEY_BEGINS.length(), to));
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(key));
    }

    private static KeyStore emptyStore() throws IOException, GeneralSecurityException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }
}
