-- Whether an event has a delivery to a webhook, whatever became of it, and which events still
-- wait: an index of all costs a delivery no more writing than one of those that wait, as it
-- does not change when the delivery ends.
DROP INDEX webhook_delivery_event;
CREATE INDEX webhook_delivery_event ON webhook_delivery (organization_id, event_id, webhook_id);
