package dev.mirror.snapshot.spring.recorded;

import dev.mirror.snapshot.spring.Database;
import java.lang.reflect.Proxy;
import java.math.BigDecimal;
import org.springframework.beans.factory.FactoryBean;

/** Makes a client as libraries do: a proxy of the JDK that nobody can subclass. */
public final class PricesFactory implements FactoryBean<Prices> {
    private final Database database;

    public PricesFactory(Database database) {
        this.database = database;
    }

    @Override
    public Prices getObject() {
        return (Prices) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {Prices.class},
                (proxy, method, arguments) -> switch (method.getName()) {
                    case "price" -> new Stock(database.read((String) arguments[0]), BigDecimal.ONE);
                    case "hashCode" -> System.identityHashCode(proxy);
                    case "equals" -> proxy == arguments[0];
                    default -> method.getName();
                });
    }

    @Override
    public Class<?> getObjectType() {
        return Prices.class;
    }
}
