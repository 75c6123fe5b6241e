package dev.mirror.orders;

import org.springframework.boot.autoconfigure.condition.ConditionalOnExpression;
import org.springframework.scheduling.annotation.Scheduled;
import org.springframework.stereotype.Component;

/** Changes the data all the time, where it is told to. */
@Component
@ConditionalOnExpression("${orders.churn:0} > 0")
class Churn {
    private final Shop shop;
    private int round;

    Churn(Shop shop) {
        this.shop = shop;
    }

    @Scheduled(fixedDelayString = "${orders.churn}")
    void change() {
        shop.churn(round++);
    }
}
